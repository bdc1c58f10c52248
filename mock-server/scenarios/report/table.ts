import { printable } from "@upkeep/shared/text";
import type { Outcome, RunResult } from "../run/result.ts";

const WORDS: Readonly<Record<Outcome, string>> = {
  passed: "pass",
  failed: "FAIL",
  skipped: "not possible",
  interrupted: "interrupted",
};
const NOT_POSSIBLE = /^not possible here: /;

/** A line per run: the result, how long it took, the file, and of a scenario that was skipped why. */
export function tableText(results: readonly RunResult[]): string {
  const rows = results.map(({ outcome, tookMs, file, notes = [] }) => [
    WORDS[outcome],
    outcome === "skipped" ? "" : (tookMs / 1000).toFixed(1),
    printable(file),
    outcome === "skipped" ? printable(notes.map((note) => note.replace(NOT_POSSIBLE, "")).join("; ")) : "",
  ]);
  const head = ["result", "seconds", "scenario", "why not"];
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, column) => (column === 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
