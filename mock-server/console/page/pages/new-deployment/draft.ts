import { call } from "../../api.ts";

const DEPLOYMENTS = "/api/management/v1/deployments/deployments";

/** What the form holds. */
export interface Draft {
  readonly name: string;
  readonly release: string;
  readonly target: "all" | "group" | "filter" | "devices";
  readonly group: string;
  readonly filter: string;
  /** Identifiers, with blanks or commas between them. */
  readonly devices: string;
  readonly retries: number;
  /** Local time, as browsers write it; empty: at once. */
  readonly start: string;
  readonly phases: readonly DraftPhase[];
}

export interface DraftPhase {
  /** Per cent of the devices; of the last phase, the rest. */
  readonly percent: number;
  /** Hours after the first phase. */
  readonly afterHours: number;
}

const HOUR_MS = 3_600_000;

function idsIn(text: string): string[] {
  return text.split(/[\s,]+/).filter((id) => id !== "");
}

/** Without a planned start the first phase begins with the request. A planned start alone is a phase of all devices. */
function phasesOf({ phases, start }: Draft, nowMs: number) {
  const isPlanned = start !== "";
  const startMs = isPlanned ? Date.parse(start) : nowMs;
  const all = phases.length === 0 && isPlanned ? [{ percent: 100, afterHours: 0 }] : phases;
  if (all.length === 0) return {};
  return {
    phases: all.map(({ percent, afterHours }, index) => ({
      ...(index === all.length - 1 ? {} : { batch_size: percent }),
      ...(index > 0 || isPlanned ? { start_ts: new Date(startMs + afterHours * HOUR_MS).toISOString() } : {}),
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

export function targetOf({ target, group, filter, devices }: Draft) {
  if (target === "group") return { group };
  if (target === "filter") return { filter_id: filter };
  return target === "devices" ? { devices: idsIn(devices) } : { all_devices: true };
}

/** @returns The path of the new deployment. */
export async function create(draft: Draft): Promise<string> {
  const body = bodyOf(draft, Date.now());
  const answer =
    draft.target === "group"
      ? await call("post", `${DEPLOYMENTS}/group/{name}`, { params: { name: draft.group }, body })
      : draft.target === "filter"
        ? await call("post", "/api/management/v2/deployments/deployments", {
            body: { ...body, filter_id: draft.filter },
          })
        : await call("post", DEPLOYMENTS, { body: { ...body, ...targetOf(draft) } });
  return `/deployments/${answer.location.split("/").at(-1)}`;
}

/** Why the draft cannot be sent yet; `undefined` if it can. */
export function missingIn(draft: Draft): string | undefined {
  if (draft.release === "") return "Choose a release.";
  if (draft.start !== "" && Number.isNaN(Date.parse(draft.start))) return "Give date and time of the start.";
  if (draft.target === "group" && draft.group === "") return "Choose a group.";
  if (draft.target === "filter" && draft.filter === "") return "Choose a filter.";
  if (draft.target === "devices" && idsIn(draft.devices).length === 0) return "Name at least one device.";
  const given = draft.phases.slice(0, -1).reduce((sum, { percent }) => sum + percent, 0);
  if (draft.phases.length > 0 && given >= 100)
    return `The phases before the last one have ${given} %: less than 100 must be left.`;
  return undefined;
}
