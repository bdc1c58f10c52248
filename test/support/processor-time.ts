import { readFileSync } from "node:fs";

/** The unit in which the kernel tells processor times, in milliseconds. */
const TICK_MS = 10;

/**
 * Processor time of a process so far, user and system, in milliseconds.
 * @param options.endedChildren With that of its children that have ended.
 */
export function processorMsOf(pid: number | "self", options: { readonly endedChildren?: boolean } = {}): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const times = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 16).map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = times;
  return (user + system + (options.endedChildren === true ? childrenUser + childrenSystem : 0)) * TICK_MS;
}
