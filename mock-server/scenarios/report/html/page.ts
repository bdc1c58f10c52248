import { createHash } from "node:crypto";
import type { RunResult } from "../../run/result.ts";
import { durationText } from "../../run/wording.ts";
import { summaryText } from "../person.ts";
import { escaped } from "./escape.ts";
import { SIGNS, sectionOf } from "./section.ts";
import { STYLE } from "./style.ts";

/** The page loads and executes nothing; only its own style sheet is allowed. */
function policy(): string {
  const hash = createHash("sha256").update(STYLE).digest("base64");
  return `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
}

/** All runs as one self-contained HTML file: verdicts, and each timeline as a picture. */
export function htmlText(results: readonly RunResult[]): string {
  const failed = results.filter(isFailed).length;
  const summary = summaryText(results, false).trimEnd();
  return [
    "<!DOCTYPE html>",
    '<html lang="en">',
    '<head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy()}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">',
    `<title>${summary}</title>`,
    `<style>${STYLE}</style></head>`,
    "<body><main>",
    `<h1 class="${failed === 0 ? "good" : "bad"}">${failed === 0 ? "✔" : "✘"} ${summary}</h1>`,
    ...(results.length > 1 ? [indexOf(results)] : []),
    ...results.map((result, index) => sectionOf(result, idOf(index))),
    "</main></body></html>",
    "",
  ].join("\n");
}

function isFailed({ outcome }: Pick<RunResult, "outcome">): boolean {
  return outcome === "failed" || outcome === "interrupted";
}

const idOf = (index: number): string => `s${index + 1}`;

/** One line per run, failed ones first. */
function indexOf(results: readonly RunResult[]): string {
  const rows = results.map(({ outcome, scenario, file, simulatedMs, verdicts }, index) => {
    const missed = verdicts.filter(({ met }) => !met).length;
    const told = missed === 0 ? "" : `${missed} of ${verdicts.length} not as expected`;
    const row =
      `<tr><td>${SIGNS[outcome]}</td><td><a href="#${idOf(index)}">${escaped(scenario.scenario)}</a></td>` +
      `<td class="faint">${escaped(file)}</td><td class="time">${durationText(simulatedMs)}</td><td>${told}</td></tr>`;
    return { isFailed: isFailed({ outcome }), row };
  });
  const sorted = [...rows.filter(({ isFailed }) => isFailed), ...rows.filter(({ isFailed }) => !isFailed)];
  return [
    '<nav aria-label="Scenarios"><table><thead><tr><th scope="col">verdict</th><th scope="col">scenario</th><th scope="col">file</th><th scope="col">took</th><th scope="col">failures</th></tr></thead><tbody>',
    ...sorted.map(({ row }) => row),
    "</tbody></table></nav>",
  ].join("\n");
}
