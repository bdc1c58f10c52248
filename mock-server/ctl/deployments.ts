import type { Listed } from "../api-types/operations.ts";
import type { Api } from "./api.ts";
import { CtlError } from "./failure.ts";
import { type Colours, statusColoured } from "./output/colours.ts";
import type { Column } from "./output/table.ts";
import { agoText, shortIds } from "./output/texts.ts";

export type Deployment = Listed<"/api/management/v1/deployments/deployments">;

const FULL_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** So many of the newest deployments are searched for a name. */
const SEARCHED_MAX = 10_000;
const CANDIDATES_MAX = 5;

/**
 * The deployment that a person names: by id, its beginning, or its name.
 * @throws CtlError if it means none, or several
 */
export async function findDeployment(api: Api, word: string): Promise<Deployment> {
  if (FULL_ID.test(word)) return await getDeployment(api, word.toLowerCase());
  const found: Deployment[] = [];
  let searched = 0;
  for await (const page of api.pages("/api/management/v1/deployments/deployments")) {
    found.push(...page.filter(({ id, name }) => id.startsWith(word.toLowerCase()) || name === word));
    searched += page.length;
    if (searched >= SEARCHED_MAX) break;
  }
  const [deployment, ...others] = found;
  if (deployment === undefined) throw new CtlError(`no deployment has the id or the name ${JSON.stringify(word)}`);
  if (others.length === 0) return deployment;
  const short = shortIds(found.map(({ id }) => id));
  const some = found.slice(0, CANDIDATES_MAX).map(({ id, name }) => `${short(id)} (${name})`);
  const more = found.length > CANDIDATES_MAX ? " and others" : "";
  throw new CtlError(`${JSON.stringify(word)} means several deployments: ${some.join(", ")}${more}`);
}

export async function getDeployment(api: Api, id: string, signal?: AbortSignal): Promise<Deployment> {
  const path = "/api/management/v1/deployments/deployments/{id}";
  return (await api.call("get", path, { params: { id }, ...(signal === undefined ? {} : { signal }) })).data;
}

/** Statuses of a device that count as done, and as left out. */
const DONE = ["success", "already-installed"];
const LEFT_OUT = ["noartifact", "decommissioned"];

export interface Progress {
  readonly done: number;
  readonly failed: number;
  readonly aborted: number;
  /** No artifact fits, or the device is gone. */
  readonly leftOut: number;
  /** Under way in the device. */
  readonly active: number;
  readonly waiting: number;
  /** All that are meant: those that have not asked yet are waiting. */
  readonly total: number;
}

export function progressOf({ statistics, max_devices: max, device_count: count }: Deployment): Progress {
  const counts = Object.entries(statistics?.status ?? {});
  const sum = (statuses: readonly string[]): number =>
    counts.reduce((all, [status, one]) => (statuses.includes(status) ? all + one : all), 0);
  const asked = counts.reduce((all, [, one]) => all + one, 0);
  const total = Math.max(max ?? 0, count ?? 0, asked);
  const [done, leftOut, pending] = [sum(DONE), sum(LEFT_OUT), sum(["pending"])];
  const [failed, aborted] = [sum(["failure"]), sum(["aborted"])];
  const active = asked - done - failed - aborted - leftOut - pending;
  const waiting = total - done - failed - aborted - leftOut - active;
  return { done, failed, aborted, leftOut, active, waiting, total };
}

/** `paused`, or the status. */
export function stateOf({ status, paused }: Deployment): string {
  return paused !== undefined && status !== "finished" ? "paused" : status;
}

/** `3 of 5 done, 1 failed`. */
export function progressText({ done, failed, aborted, leftOut, active, total }: Progress): string {
  const parts = [
    `${done} of ${total} done`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(aborted > 0 ? [`${aborted} aborted`] : []),
    ...(leftOut > 0 ? [`${leftOut} left out`] : []),
    ...(active > 0 ? [`${active} under way`] : []),
  ];
  return parts.join(", ");
}

/**
 * How a finished deployment ended. Devices that never asked tell that it was aborted, also on servers that do not count
 * them; not of a deployment to a filter, which may be finished at any time.
 */
export function endOf(deployment: Deployment): "succeeded" | "ended with failures" | "was aborted" {
  const { failed, aborted, waiting } = progressOf(deployment);
  if (failed > 0) return "ended with failures";
  return aborted > 0 || (waiting > 0 && deployment.dynamic !== true) ? "was aborted" : "succeeded";
}

/** A bar of `width` columns: done, failed or aborted, left out, under way, waiting. */
export function progressBar(
  { done, failed, aborted, leftOut, active, total }: Progress,
  width: number,
  colours: Colours,
): string {
  const cells = total === 0 ? [0, 0, 0, 0] : shares([done, failed + aborted, leftOut, active], total, width);
  const [a = 0, b = 0, c = 0, d = 0] = cells;
  const rest = Math.max(width - a - b - c - d, 0);
  return (
    colours.green("█".repeat(a)) +
    colours.red("▓".repeat(b)) +
    colours.yellow("·".repeat(c)) +
    colours.blue("▒".repeat(d)) +
    colours.dim("░".repeat(rest))
  );
}

/** Columns of each part; a part that is there has at least one, if there is room. */
function shares(parts: readonly number[], total: number, width: number): readonly number[] {
  const cells = parts.map((part) => (part === 0 ? 0 : Math.max(Math.floor((part * width) / total), 1)));
  while (cells.reduce((sum, one) => sum + one, 0) > width) {
    const largest = cells.indexOf(Math.max(...cells));
    cells[largest] = (cells[largest] ?? 1) - 1;
  }
  return cells;
}

/** Columns of a list of deployments. */
export function deploymentColumns(deployments: readonly Deployment[], nowMs: number): readonly Column<Deployment>[] {
  const short = shortIds(deployments.map(({ id }) => id));
  return [
    { title: "ID", text: ({ id }) => short(id) },
    { title: "NAME", text: ({ name }) => name, least: 8 },
    { title: "RELEASE", text: ({ name, artifact_name: release }) => (release === name ? "" : release), least: 8 },
    {
      title: "STATE",
      text: stateOf,
      paint: (text, deployment, colours) => statusColoured(text, stateOf(deployment), colours),
    },
    { title: "PROGRESS", text: (deployment) => progressText(progressOf(deployment)), least: 12 },
    { title: "CREATED", text: ({ created }) => agoText(created, nowMs) },
  ];
}
