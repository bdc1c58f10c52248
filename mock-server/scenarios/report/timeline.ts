import { given } from "@upkeep/shared/given";
import type { RunResult } from "../run/result.ts";
import { clockText } from "../run/wording.ts";
import { lineText, type StoryLine, storyOf, type Tone } from "./story.ts";

/** Devices that are shown, and lines of each, where not everything is asked for. */
const DEVICES_MAX = 4;
const FIRST_LINES_MAX = 30;
const LAST_LINES_MAX = 30;

/** A part of a line, in its colour. */
export type Span = readonly [tone: Tone, text: string];
/** One line of a timeline, with its indentation. */
export type TimelineLine = readonly [indent: string, ...spans: readonly Span[]];

/**
 * One timeline for the server and one per device, with the unmet expectations at their times.
 * @param whole Everything; otherwise the devices that an unmet expectation names, and of long timelines both ends.
 */
export function timelineOf({ events, verdicts, scenario, software }: RunResult, whole: boolean): TimelineLine[] {
  const failures = verdicts.flatMap(({ met, atMs, device, expected }): StoryLine[] =>
    met || atMs === undefined ? [] : [{ atMs, ...given({ device }), text: `✘ expected ${expected}`, tone: "bad" }],
  );
  const all = [...storyOf(events), ...failures].sort((a, b) => a.atMs - b.atMs);
  const named = new Set(all.flatMap(({ device }) => (device === undefined ? [] : [device])));
  const failed = new Set(failures.flatMap(({ device }) => (device === undefined ? [] : [device])));
  const devices = [...new Set([...software.keys(), ...named])].filter((device) => named.has(device));
  const wanted = failed.size > 0 && !whole ? devices.filter((device) => failed.has(device)) : devices;
  const shown = whole ? wanted : wanted.slice(0, DEVICES_MAX);
  const show = (line: StoryLine): TimelineLine => [
    "      ",
    ["faint", clockText(line.atMs, scenario.starts)],
    [line.tone, lineText(line, scenario.starts)],
  ];
  const leftOut = devices.length - shown.length;
  return [
    ...[undefined, ...shown].flatMap((device): TimelineLine[] => {
      const lines = all.filter((line) => line.device === device).map(show);
      return lines.length === 0 ? [] : [["    ", ["plain", device ?? "server"]], ...(whole ? lines : endsOf(lines))];
    }),
    ...(leftOut === 0
      ? []
      : [noteOf("    ", `${leftOut} more ${leftOut === 1 ? "device is" : "devices are"} left out`)]),
  ];
}

function endsOf(lines: readonly TimelineLine[]): readonly TimelineLine[] {
  const leftOut = lines.length - FIRST_LINES_MAX - LAST_LINES_MAX;
  if (leftOut <= 1) return lines;
  return [
    ...lines.slice(0, FIRST_LINES_MAX),
    noteOf("      ", `${leftOut} more lines are left out here`),
    ...lines.slice(-LAST_LINES_MAX),
  ];
}

function noteOf(indent: string, text: string): TimelineLine {
  return [indent, ["faint", `… ${text}; --timeline shows all`]];
}

/** Without colours. */
export function plainTimeline(result: RunResult): string {
  return timelineOf(result, false)
    .map(([indent, ...spans]) => indent + spans.map(([, text]) => text).join(" "))
    .join("\n");
}
