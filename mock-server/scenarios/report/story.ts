import type { RunEvent } from "../run/events.ts";
import { deploymentText, refusalText } from "../run/wording.ts";

/** The kind of a story line, which decides its colour. */
export type Tone = "plain" | "good" | "bad" | "fault" | "action" | "faint";

/** One line of the story. */
export interface StoryLine {
  readonly atMs: number;
  /** Absent: the line concerns the server or all devices. */
  readonly device?: string;
  readonly text: string;
  readonly tone: Tone;
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

/** Merges repeated lines, such as unanswered polls over days, into one line with a count. */
export function storyOf(events: readonly RunEvent[]): StoryLine[] {
  const lines: { line: StoryLine; times: number }[] = [];
  const last = new Map<string, { line: StoryLine; times: number }>();
  for (const event of events) {
    const line = storyLine(event);
    if (line === undefined) continue;
    const before = last.get(line.device ?? "");
    if (before !== undefined && before.line.text === line.text) {
      before.times++;
      continue;
    }
    const entry = { line, times: 1 };
    lines.push(entry);
    last.set(line.device ?? "", entry);
  }
  return lines.map(({ line, times }) => (times === 1 ? line : { ...line, text: `${line.text} (${times} times)` }));
}
