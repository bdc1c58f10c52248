import type { RunResult } from "../run/result.ts";
import { momentText } from "../run/wording.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Escapes text for XML; characters that XML forbids are omitted. */
function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML forbids these characters
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, "").replace(/[&<>"']/g, (found) => ESCAPES[found] ?? found);
}

/** All runs as JUnit XML: one test case per scenario. */
export function junitText(results: readonly RunResult[]): string {
  const failed = results.filter(({ passed }) => !passed).length;
  const seconds = (ms: number): string => (ms / 1000).toFixed(3);
  const totalMs = results.reduce((sum, { tookMs }) => sum + tookMs, 0);
  const cases = results.map((result) => {
    const { scenario, file, tookMs } = result;
    const head = `  <testcase name="${escaped(scenario.scenario)}" classname="${escaped(file)}" time="${seconds(tookMs)}"`;
    const missed = result.verdicts.filter(({ met }) => !met);
    // A scenario that was not run, or whose second run differed, has failed whatever its verdicts are.
    const notes = result.passed ? [] : (result.notes ?? []);
    if (missed.length + notes.length === 0) return `${head}/>`;
    const failures = missed.map(({ expected, got, atMs, device }) => {
      const where = [device, atMs === undefined ? undefined : momentText(atMs, scenario.starts)].filter((part) => part);
      const text = `expected ${expected}\ngot ${got}${where.length === 0 ? "" : `\nat ${where.join(", ")}`}`;
      return `    <failure message="${escaped(`expected ${expected}, got ${got}`)}">${escaped(text)}</failure>`;
    });
    failures.push(...notes.map((note) => `    <failure message="${escaped(note)}"/>`));
    return `${head}>\n${failures.join("\n")}\n  </testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="scenarios" tests="${results.length}" failures="${failed}" errors="0" time="${seconds(totalMs)}">`,
    ...cases,
    "</testsuite>",
    "",
  ].join("\n");
}
