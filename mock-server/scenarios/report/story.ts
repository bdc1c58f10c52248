import type { RunEvent } from "../run/events.ts";
import { clockText, deploymentText, refusalText } from "../run/wording.ts";

/** The kind of a story line, which decides its colour. */
export type Tone = "plain" | "good" | "bad" | "fault" | "action" | "faint";

/** One line of the story. */
export interface StoryLine {
  readonly atMs: number;
  /** Absent: the line concerns the server or all devices. */
  readonly device?: string;
  readonly text: string;
  readonly tone: Tone;
  /** How often it happened, and when for the last time; absent: once. */
  readonly times?: number;
  readonly lastMs?: number;
}

const BAD_STATUSES: ReadonlySet<string> = new Set(["failure", "aborted", "noartifact", "decommissioned"]);
const GOOD_STATUSES: ReadonlySet<string> = new Set(["success", "already-installed"]);

/** The story line of an event; `undefined`: the event is omitted. */
export function storyLine(event: RunEvent): StoryLine | undefined {
  const { atMs } = event;
  const line = (text: string, tone: Tone): StoryLine => ({
    atMs,
    text,
    tone,
    ...("device" in event && event.device !== undefined ? { device: event.device } : {}),
  });
  switch (event.kind) {
    case "status": {
      const tone = GOOD_STATUSES.has(event.status) ? "good" : BAD_STATUSES.has(event.status) ? "bad" : "plain";
      return line(`${event.deployment}: ${event.status}`, tone);
    }
    case "deployment":
      return line(
        `deployment ${event.deployment} is ${deploymentText(event)}`,
        event.paused === undefined ? "plain" : "bad",
      );
    case "refused":
      return line(refusalText(event), "bad");
    case "state":
      return event.state === undefined ? undefined : line(event.state, "faint");
    case "exchange":
      if (event.fault !== undefined) return line(`${event.request}: ${event.fault}`, "fault");
      return (event.status ?? 0) >= 400 ? line(`${event.request}: answered ${event.status}`, "fault") : undefined;
    case "log":
      return line(`sent a log of ${event.messages.length} messages`, "plain");
    case "runs":
      return line(`runs ${event.software}`, "good");
    case "boot":
      return line(`boots${event.software === undefined ? "" : ` ${event.software}`}`, "plain");
    case "down":
      return line(event.why, "fault");
    case "fault":
      return line(`fault: ${event.fault}`, "fault");
    case "action":
      return line(event.what, "action");
    default:
      return undefined;
  }
}

/** Longest sequence of lines whose repetitions are folded. */
const CYCLE_MAX = 6;

/**
 * The story of a run, in order. A line, or a short sequence of lines, that a device repeats stands there once, with the
 * number of times and the time of the last one: polls that fail for days are two lines.
 */
export function storyOf(events: readonly RunEvent[]): StoryLine[] {
  const all: FoldedLine[] = [];
  const byDevice = new Map<string, FoldedLine[]>();
  for (const event of events) {
    const line = storyLine(event);
    if (line === undefined) continue;
    const lines = byDevice.get(line.device ?? "") ?? [];
    byDevice.set(line.device ?? "", lines);
    const added: FoldedLine = { line, times: 1, lastMs: line.atMs, isFolded: false };
    lines.push(added);
    all.push(added);
    foldEnd(lines);
  }
  return all
    .filter(({ isFolded }) => !isFolded)
    .map(({ line, times, lastMs }) => (times === 1 ? line : { ...line, times, lastMs }));
}

interface FoldedLine {
  readonly line: StoryLine;
  times: number;
  lastMs: number;
  /** It is counted in an earlier line. */
  isFolded: boolean;
}

/** If the last lines repeat those before them, they are counted there. */
function foldEnd(lines: FoldedLine[]): void {
  for (let length = 1; length <= CYCLE_MAX && 2 * length <= lines.length; length++) {
    const last = lines.slice(-length);
    const before = lines.slice(-2 * length, -length);
    if (!last.every(({ line }, index) => line.text === before[index]?.line.text)) continue;
    last.forEach((repeated, index) => {
      const kept = before[index];
      if (kept === undefined) return;
      kept.times += repeated.times;
      kept.lastMs = repeated.lastMs;
      repeated.isFolded = true;
    });
    lines.length -= length;
    return;
  }
}

/** The text of a line, with the number of repetitions. @param startMs Of the scenario. */
export function lineText({ text, times, lastMs }: StoryLine, startMs: number): string {
  if (times === undefined || lastMs === undefined) return text;
  return `${text} (${times} times, the last at ${clockText(lastMs, startMs)})`;
}
