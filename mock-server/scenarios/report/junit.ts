import type { RunResult } from "../run/result.ts";
import type { Verdict } from "../run/verdict.ts";
import { momentText } from "../run/wording.ts";
import { plainTimeline } from "./timeline.ts";

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

function element(name: string, message: string, text = ""): string {
  const head = `    <${name} message="${escaped(message)}"`;
  return text === "" ? `${head}/>` : `${head}>${escaped(text)}</${name}>`;
}

/** All runs as JUnit XML: one test case per scenario. The first failure of a scenario carries its timeline. */
export function junitText(results: readonly RunResult[]): string {
  const count = (wanted: RunResult["outcome"]): number => results.filter(({ outcome }) => outcome === wanted).length;
  const seconds = (ms: number): string => (ms / 1000).toFixed(3);
  const totalMs = results.reduce((sum, { tookMs }) => sum + tookMs, 0);
  const cases = results.map((result) => {
    const { scenario, file, tookMs } = result;
    const head = `  <testcase name="${escaped(scenario.scenario)}" classname="${escaped(file)}" time="${seconds(tookMs)}"`;
    const elements = elementsOf(result);
    return elements.length === 0 ? `${head}/>` : `${head}>\n${elements.join("\n")}\n  </testcase>`;
  });
  const counts = `tests="${results.length}" failures="${count("failed")}" errors="${count("interrupted")}" skipped="${count("skipped")}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="scenarios" ${counts} time="${seconds(totalMs)}">`,
    ...cases,
    "</testsuite>",
    "",
  ].join("\n");
}

function elementsOf(result: RunResult): string[] {
  const { outcome, notes = [], verdicts, scenario } = result;
  switch (outcome) {
    case "passed":
      return [];
    case "skipped":
      return [element("skipped", notes.join("; "))];
    case "interrupted":
      return [element("error", notes.join("; "), `\n${plainTimeline(result)}`)];
    case "failed": {
      const failures = [
        ...verdicts
          .filter(({ met }) => !met)
          .map((verdict) => [
            `expected ${verdict.expected}, got ${verdict.got}`,
            verdictText(verdict, scenario.starts),
          ]),
        ...notes.map((note) => [note, ""]),
      ];
      return failures.map(([message = "", text = ""], index) =>
        element("failure", message, index === 0 ? `${text}\n${plainTimeline(result)}` : text),
      );
    }
  }
}

function verdictText({ expected, got, atMs, device }: Verdict, startMs: number): string {
  const where = [device, atMs === undefined ? undefined : momentText(atMs, startMs)].filter((part) => part);
  return `expected ${expected}\ngot ${got}${where.length === 0 ? "" : `\nat ${where.join(", ")}`}`;
}
