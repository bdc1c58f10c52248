import type { RunEvent } from "../../run/events.ts";
import type { RunResult } from "../../run/result.ts";
import { deploymentText } from "../../run/wording.ts";
import { storyLine } from "../story.ts";
import type { MarkKind } from "./marks.ts";
import { type Colour, deploymentColour, stateColour, statusColour } from "./palette.ts";

/** A span of constant state. `down`: the device has no power, or its agent does not run. */
export interface Bar {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly colour: Colour | "down";
  readonly text: string;
}

export interface Mark {
  readonly atMs: number;
  readonly kind: MarkKind;
  readonly text: string;
}

/** The states of a device or of the server over time. */
export interface Lane {
  readonly name: string;
  /** Rows from top to bottom: the server's deployments; a device's status and its agent's state. */
  readonly rows: readonly (readonly Bar[])[];
  readonly marks: readonly Mark[];
  /** Times of the server's answers. */
  readonly contacts: readonly number[];
}

/** Number of deployments with their own row. */
const DEPLOYMENTS_MAX = 6;

/** The server's lane: states of deployments, and events without a device. */
export function serverLane({ events, simulatedMs }: RunResult): Lane {
  const names = [...new Set(events.flatMap((event) => (event.kind === "deployment" ? [event.deployment] : [])))];
  return {
    name: "server",
    rows: names.slice(0, DEPLOYMENTS_MAX).map((name) =>
      barsOf(
        events.flatMap((event): Change[] =>
          event.kind === "deployment" && event.deployment === name
            ? [{ atMs: event.atMs, colour: deploymentColour(event), text: `${name}: ${deploymentText(event)}` }]
            : [],
        ),
        simulatedMs,
      ),
    ),
    marks: marksOf(events.filter((event) => !("device" in event) || event.device === undefined)),
    contacts: [],
  };
}

/** @param events Events of this device. */
export function deviceLane(name: string, events: readonly RunEvent[], endMs: number): Lane {
  const statuses = events.flatMap((event): Change[] =>
    event.kind === "status"
      ? [{ atMs: event.atMs, colour: statusColour(event.status), text: `${event.deployment}: ${event.status}` }]
      : [],
  );
  return {
    name,
    rows: [barsOf(statuses, endMs), barsOf(doings(events), endMs)],
    marks: marksOf(events),
    contacts: events.flatMap((event) => (event.kind === "exchange" && event.status !== undefined ? [event.atMs] : [])),
  };
}

/** The state from this moment on; without a colour it is not drawn. */
interface Change {
  readonly atMs: number;
  readonly colour?: Bar["colour"];
  readonly text: string;
}

function barsOf(changes: readonly Change[], endMs: number): Bar[] {
  return changes.flatMap(({ atMs, colour, text }, index): Bar[] => {
    const untilMs = changes[index + 1]?.atMs ?? Math.max(endMs, atMs);
    return colour === undefined || untilMs === atMs ? [] : [{ fromMs: atMs, untilMs, colour, text }];
  });
}

/** The agent's row: its state during an update, and the spans in which it does not run. */
function doings(events: readonly RunEvent[]): Change[] {
  const changes: Change[] = [];
  let isDown = false;
  for (const event of events) {
    const { atMs } = event;
    if (event.kind === "down") {
      isDown = true;
      changes.push({ atMs, colour: "down", text: event.why });
    } else if (event.kind === "state") {
      isDown = false;
      const { state } = event;
      changes.push({ atMs, text: state ?? "", ...(state === undefined ? {} : { colour: stateColour(state) }) });
    } else if (isDown && (event.kind === "boot" || event.kind === "exchange" || event.kind === "line")) {
      isDown = false;
      changes.push({ atMs, text: "" });
    }
  }
  return changes;
}

function marksOf(events: readonly RunEvent[]): Mark[] {
  return events.flatMap((event): Mark[] => {
    const kind = markKind(event);
    const line = kind === undefined ? undefined : storyLine(event);
    return kind === undefined || line === undefined ? [] : [{ atMs: event.atMs, kind, text: line.text }];
  });
}

function markKind(event: RunEvent): MarkKind | undefined {
  switch (event.kind) {
    case "exchange":
    case "fault":
      return "fault";
    case "down":
      return "power";
    case "boot":
      return "boot";
    case "runs":
      return "runs";
    case "action":
      return "action";
    case "refused":
      return "failure";
    default:
      return undefined;
  }
}
