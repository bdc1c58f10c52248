import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { DeploymentView } from "../../run/events.ts";

/**
 * Colours for readers with colour vision deficiency, after M. Okabe and K. Ito; black text is readable on each. Wide
 * bars also have labels, and marks have different shapes.
 */
export const COLOURS = {
  waits: "#c4c9cf",
  downloads: "#56b4e9",
  installs: "#f0e442",
  reboots: "#e69f00",
  commits: "#7fd1b9",
  good: "#1fa67e",
  bad: "#e0661a",
  ended: "#cc79a7",
  rest: "#9fa6ad",
} as const;

export type Colour = keyof typeof COLOURS;

const STATUSES: Readonly<Record<DeviceDeploymentStatus, Colour>> = {
  pending: "waits",
  downloading: "downloads",
  pause_before_installing: "waits",
  installing: "installs",
  pause_before_rebooting: "waits",
  rebooting: "reboots",
  pause_before_committing: "waits",
  success: "good",
  "already-installed": "good",
  failure: "bad",
  aborted: "ended",
  noartifact: "rest",
  decommissioned: "ended",
};

export function statusColour(status: DeviceDeploymentStatus): Colour {
  return STATUSES[status];
}

/** The colour of an agent's state, by its activity. */
export function stateColour(state: string): Colour {
  if (state === "Download") return "downloads";
  if (/Rollback|Failure/.test(state)) return "bad";
  if (/Reboot/.test(state)) return "reboots";
  if (/Commit/.test(state)) return "commits";
  return state === "ArtifactInstall" ? "installs" : "rest";
}

export function deploymentColour({ status, paused }: DeploymentView): Colour {
  if (status === "finished") return "good";
  return status === "inprogress" && paused === undefined ? "downloads" : "waits";
}

/** The meaning of each colour, for the legend. */
export const MEANINGS: Readonly<Record<Colour, string>> = {
  waits: "pending, paused",
  downloads: "downloading, in progress",
  installs: "installing",
  reboots: "rebooting",
  commits: "committing",
  good: "success, finished",
  bad: "failure, rollback",
  ended: "aborted, decommissioned",
  rest: "other",
};
