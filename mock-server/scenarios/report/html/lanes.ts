import type { RunEvent } from "../../run/events.ts";
import type { RunResult } from "../../run/result.ts";
import { storyLine } from "../story.ts";
import type { MarkKind } from "./marks.ts";
import { type Colour, deploymentColour, stateColour, statusColour } from "./palette.ts";

/** A span in which something stays as it is. `down`: the device is without power, or its agent does not run. */
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

/** What a device did, or the server, over time. */
export interface Lane {
  readonly name: string;
  /** From the top to the bottom: of the server its deployments; of a device its status, and what the agent does. */
  readonly rows: readonly (readonly Bar[])[];
  readonly marks: readonly Mark[];
  /** When the server answered it. */
  readonly contacts: readonly number[];
}

/** Deployments that get a row of their own. */
const DEPLOYMENTS_MAX = 6;

/** The server's lane: the states of deployments, and all that is about no device. */
export function serverLane({ events, simulatedMs }: RunResult): Lane {
  const names = [...new Set(events.flatMap((event) => (event.kind === "deployment" ? [event.deployment] : [])))];
  return {
    name: "server",
    rows: names.slice(0, DEPLOYMENTS_MAX).map((name) =>
      barsOf(
        events.flatMap((event): Change[] =>
          event.kind === "deployment" && event.deployment === name
            ? [{ atMs: event.atMs, colour: deploymentColour(event.status), text: `${name}: ${event.status}` }]
            : [],
        ),
        simulatedMs,
      ),
    ),
    marks: marksOf(events.filter((event) => !("device" in event) || event.device === undefined)),
    contacts: [],
  };
}

/** @param events Those of this device. */
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

/** From here on it is so; without a colour: there is nothing to show. */
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

/** What the agent does: its state while it updates, and when it does not run at all. */
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
