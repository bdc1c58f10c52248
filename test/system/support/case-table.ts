import { afterAll, afterEach, beforeEach } from "vitest";

export interface CaseRow {
  readonly title: string;
  readonly boots: number;
  readonly seconds: number;
  readonly outcome: string;
}

export function caseTable(rows: readonly CaseRow[]): string {
  const lines = rows.map(({ title, boots, seconds, outcome }) => `| ${title} | ${boots} | ${seconds} | ${outcome} |`);
  return ["| Case | Boots | Seconds | Outcome |", "| --- | ---: | ---: | --- |", ...lines].join("\n");
}

/**
 * Prints a table of the tests of this suite at its end.
 * @param boots How often the systems under test have booted until now.
 */
export function tabulateCases(boots: () => number): void {
  const rows: CaseRow[] = [];
  let before = { boots: 0, ms: 0 };
  beforeEach(() => {
    before = { boots: boots(), ms: performance.now() };
  });
  afterEach(({ task }) => {
    rows.push({
      title: task.name,
      boots: boots() - before.boots,
      seconds: Math.round((performance.now() - before.ms) / 100) / 10,
      outcome: task.result?.errors === undefined ? "passed" : "failed",
    });
  });
  afterAll(() => console.log(caseTable(rows)));
}
