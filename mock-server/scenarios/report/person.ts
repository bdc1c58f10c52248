import { printable } from "@upkeep/shared/text";
import type { Outcome, RunResult } from "../run/result.ts";
import type { Verdict } from "../run/verdict.ts";
import { durationText, momentText } from "../run/wording.ts";
import type { Tone } from "./story.ts";
import { timelineOf } from "./timeline.ts";

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

const SIGNS: Readonly<Record<Outcome, readonly [tone: Tone, sign: string]>> = {
  passed: ["good", "✔"],
  failed: ["bad", "✘"],
  skipped: ["faint", "–"],
  interrupted: ["bad", "✘"],
};

export interface PersonOptions {
  readonly colours: boolean;
  /** Show whole timelines, of successful devices and runs too. */
  readonly timeline: boolean;
}

/** One run as text: its result and, for each unmet expectation, the expected and the actual value, with the story. */
export function personText(result: RunResult, options: PersonOptions): string {
  const paint = painter(options.colours);
  const { scenario, outcome, mode, file, simulatedMs, tookMs, traceHash, repeats = 1 } = result;
  const [tone, sign] = SIGNS[outcome];
  const facts = [
    file,
    `seed ${scenario.seed}`,
    ...(outcome === "skipped" ? [] : [`${durationText(simulatedMs)} in ${Math.round(tookMs)} ms`]),
    ...(repeats === 1 ? [] : [`${repeats} runs compared: all the same`]),
    ...(traceHash === undefined ? [] : [`trace ${traceHash.slice(0, 16)}`]),
  ].join(", ");
  const lines = [`${paint(tone, sign)} ${printable(scenario.scenario)} ${paint("faint", `(${facts})`)}`];
  for (const verdict of result.verdicts) if (!verdict.met) lines.push(...failureText(verdict, scenario.starts, paint));
  for (const note of result.notes ?? []) lines.push(`    ${paint("fault", note)}`);
  if (outcome === "failed" || outcome === "interrupted" || options.timeline)
    for (const [indent, ...spans] of timelineOf(result, options.timeline))
      lines.push(indent + spans.map((span) => paint(...span)).join(" "));
  if (outcome === "failed" && mode === "attached") lines.push(...deviceLogText(result, paint));
  return `${lines.join("\n")}\n`;
}

/** Lines of a device's log that are shown. */
const LOG_LINES_MAX = 60;

/** The end of the deployment log that an attached device sent: what happened inside it. */
function deviceLogText({ events }: RunResult, paint: Paint): string[] {
  const messages = events.flatMap((event) =>
    event.kind === "log" ? event.messages.map(({ message }) => [event.device, message] as const) : [],
  );
  if (messages.length === 0) return [`    ${paint("faint", "the device sent no deployment log")}`];
  return [
    `    ${paint("plain", "deployment log of the device")}`,
    ...messages
      .slice(-LOG_LINES_MAX)
      .map(([device, message]) => `      ${paint("faint", device)} ${paint("plain", message)}`),
  ];
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

/** The last line: how many scenarios went as expected, and what became of the others. */
export function summaryText(results: readonly RunResult[], colours: boolean): string {
  const count = (outcome: Outcome): number => results.filter((one) => one.outcome === outcome).length;
  const ran = results.length - count("skipped");
  const text = [
    `${count("passed")} of ${ran} scenarios went as expected`,
    ...(count("interrupted") === 0 ? [] : [`${count("interrupted")} interrupted`]),
    ...(count("skipped") === 0 ? [] : [`${count("skipped")} not possible here`]),
  ].join(", ");
  const good = count("passed") === ran;
  return colours ? `${BOLD}${COLOURS[good ? "good" : "bad"]}${text}${RESET}\n` : `${text}\n`;
}
