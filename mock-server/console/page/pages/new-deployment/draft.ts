import { call } from "../../api.ts";
import { type Conditions, searchOf } from "../../parts/devices.ts";
import { faultOf, HOUR_MS, type Plan } from "./phase-plan.ts";

const DEPLOYMENTS = "/api/management/v1/deployments/deployments";

/** What the form holds. */
export interface Draft {
  readonly name: string;
  readonly release: string;
  readonly target: "all" | "group" | "filter" | "search" | "devices";
  readonly group: string;
  readonly filter: string;
  readonly search: Conditions;
  /** Identifiers, with blanks or commas between them. */
  readonly devices: string;
  readonly retries: number;
  /** In milliseconds since the Unix epoch; absent: at once. */
  readonly startMs: number | undefined;
  readonly phases: Plan;
}

function idsIn(text: string): string[] {
  return text.split(/[\s,]+/).filter((id) => id !== "");
}

/** Without a planned start the first phase begins with the request. One phase that says nothing is left out. */
function phasesOf({ phases, startMs }: Draft, nowMs: number) {
  const [first] = phases;
  if (phases.length === 1 && startMs === undefined && first?.errorPercent === undefined) return {};
  return {
    phases: phases.map(({ percent, afterHours, errorPercent, successPercent }, index) => ({
      ...(index === phases.length - 1 ? {} : { batch_size: percent }),
      ...(index > 0 || startMs !== undefined
        ? { start_ts: new Date((startMs ?? nowMs) + afterHours * HOUR_MS).toISOString() }
        : {}),
      ...(errorPercent === undefined ? {} : { error_threshold: errorPercent }),
      ...(successPercent === undefined ? {} : { success_threshold: successPercent }),
    })),
  };
}

export function bodyOf(draft: Draft, nowMs: number) {
  return {
    name: draft.name || draft.release,
    artifact_name: draft.release,
    ...(draft.retries > 0 ? { retries: draft.retries } : {}),
    ...phasesOf(draft, nowMs),
  };
}

export function targetOf({ target, group, filter, search, devices }: Draft) {
  if (target === "group") return { group };
  if (target === "filter") return { filter_id: filter };
  if (target === "search") return searchOf(search);
  return target === "devices" ? { devices: idsIn(devices) } : { all_devices: true };
}

/**
 * @param expectedCount How many devices the preview has shown.
 * @returns The path of the new deployment.
 */
export async function create(draft: Draft, expectedCount: number): Promise<string> {
  const body = bodyOf(draft, Date.now());
  const answer =
    draft.target === "group"
      ? await call("post", `${DEPLOYMENTS}/group/{name}`, { params: { name: draft.group }, body })
      : draft.target === "filter"
        ? await call("post", "/api/management/v2/deployments/deployments", {
            body: { ...body, filter_id: draft.filter },
          })
        : await call("post", DEPLOYMENTS, {
            body: {
              ...body,
              ...targetOf(draft),
              ...(draft.target === "search" ? { expected_count: expectedCount } : {}),
            },
          });
  return `/deployments/${answer.location.split("/").at(-1)}`;
}

/** Why the draft cannot be sent yet; `undefined` if it can. */
export function missingIn(draft: Draft): string | undefined {
  if (draft.release === "") return "Choose a release.";
  if (draft.target === "group" && draft.group === "") return "Choose a group.";
  if (draft.target === "filter" && draft.filter === "") return "Choose a filter.";
  if (draft.target === "devices" && idsIn(draft.devices).length === 0) return "Name at least one device.";
  return faultOf(draft.phases);
}
