import { given } from "@upkeep/shared/given";
import { printable } from "@upkeep/shared/text";
import type { RunResult } from "../run/result.ts";
import type { Verdict } from "../run/verdict.ts";
import { durationText, momentText } from "../run/wording.ts";
import { type StoryLine, storyOf, type Tone } from "./story.ts";

const COLOURS: Readonly<Record<Tone, string>> = {
  plain: "",
  good: "\x1b[32m",
  bad: "\x1b[31m",
  fault: "\x1b[33m",
  action: "\x1b[36m",
  faint: "\x1b[90m",
};
const RESET = "\x1b[0m";
const BOLD = "\x1b[1m";

export interface PersonOptions {
  readonly colours: boolean;
  /** Show the timelines of successful devices and runs too. */
  readonly timeline: boolean;
}

/** One run as text: its result and, for each unmet expectation, the expected and the actual value, with the story. */
export function personText(result: RunResult, options: PersonOptions): string {
  const paint = painter(options.colours);
  const { scenario, passed, file, simulatedMs, tookMs, traceHash } = result;
  const sign = passed ? paint("good", "✔") : paint("bad", "✘");
  const facts = [
    file,
    `seed ${scenario.seed}`,
    `${durationText(simulatedMs)} in ${Math.round(tookMs)} ms`,
    ...(traceHash === undefined ? [] : [`trace ${traceHash.slice(0, 16)}`]),
  ].join(", ");
  const lines = [`${sign} ${printable(scenario.scenario)} ${paint("faint", `(${facts})`)}`];
  for (const verdict of result.verdicts) if (!verdict.met) lines.push(...failureText(verdict, scenario.starts, paint));
  for (const note of result.notes ?? []) lines.push(`    ${paint("fault", note)}`);
  if (!passed || options.timeline) lines.push(...timelineText(result, paint));
  return `${lines.join("\n")}\n`;
}

type Paint = (tone: Tone, text: string) => string;

function painter(colours: boolean): Paint {
  return (tone, text) => {
    const shown = printable(text);
    return colours && COLOURS[tone] !== "" ? `${COLOURS[tone]}${shown}${RESET}` : shown;
  };
}

function failureText({ expected, got, atMs, device }: Verdict, startMs: number, paint: Paint): string[] {
  const where = [device, atMs === undefined ? undefined : momentText(atMs, startMs)].filter(
    (part) => part !== undefined,
  );
  return [
    `    ${paint("bad", "expected")} ${printable(expected)}`,
    `    ${paint("bad", "got     ")} ${printable(got)}`,
    ...(where.length === 0 ? [] : [`    ${paint("faint", "at      ")} ${printable(where.join(", "))}`]),
  ];
}

/** One timeline per device and one for the server, with the unmet expectations at their times. */
function timelineText({ events, verdicts, scenario }: RunResult, paint: Paint): string[] {
  const failures = verdicts.flatMap(({ met, atMs, device, expected }): StoryLine[] =>
    met || atMs === undefined ? [] : [{ atMs, ...given({ device }), text: `✘ expected ${expected}`, tone: "bad" }],
  );
  const all = [...storyOf(events), ...failures].sort((a, b) => a.atMs - b.atMs);
  const devices = [...new Set(all.flatMap(({ device }) => (device === undefined ? [] : [device])))].sort();
  const failed = new Set(failures.flatMap(({ device }) => (device === undefined ? [] : [device])));
  // If some devices of a fleet fail, the others are omitted.
  const shown = failed.size > 0 ? devices.filter((device) => failed.has(device)) : devices;
  return [undefined, ...shown].flatMap((device) => {
    const lines = all.filter((line) => line.device === device);
    if (lines.length === 0) return [];
    return [
      `    ${paint("plain", `${device ?? "server"}`)}`,
      ...lines.map(
        ({ atMs, text, tone }) => `      ${paint("faint", clockText(atMs, scenario.starts))} ${paint(tone, text)}`,
      ),
    ];
  });
}

/** `day 2 12:00:05.040`, by the simulated wall clock. */
function clockText(atMs: number, startMs: number): string {
  const day = Math.floor((startMs + atMs) / 86_400_000) - Math.floor(startMs / 86_400_000) + 1;
  return `day ${day} ${new Date(startMs + atMs).toISOString().slice(11, 23)}`;
}

/** The last line: the number of passed scenarios. */
export function summaryText(results: readonly RunResult[], colours: boolean): string {
  const failed = results.filter(({ passed }) => !passed).length;
  const text = `${results.length - failed} of ${results.length} scenarios went as expected`;
  return colours ? `${BOLD}${COLOURS[failed === 0 ? "good" : "bad"]}${text}${RESET}\n` : `${text}\n`;
}
