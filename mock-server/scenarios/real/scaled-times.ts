import type { Scenario } from "../file/index.ts";

/**
 * How long an agent waits on a silent connection, in seconds of this machine. Only where a fault makes connections silent
 * is it short: elsewhere a loaded machine must not look like a silent server.
 */
export function connectionIdleSeconds({ faults }: Pick<Scenario, "faults">): number {
  const isSilent = faults.some(
    ({ what }) => JSON.stringify(what.value)?.includes("silence") || what.fault === "reordered",
  );
  return isSilent ? 5 : 60;
}

/** True if a program of a device hangs: only then its time limit matters, and is shortened as all times are. */
export function hasHangingProgram({ faults }: Pick<Scenario, "faults">): boolean {
  return faults.some(({ what: { fault } }) => fault === "module_hangs" || fault === "script_hangs");
}
