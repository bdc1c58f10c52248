/** Rules of each call for the boot loader's environment: what it requires, and what it sets. Pure functions. */
import { AgentError } from "../../errors.ts";
import { BOOT, type BootVariables, bootFrom, demandCanary, firstDifference, upgradeAvailable } from "./variables.ts";

export interface Situation {
  /** Numbers of the two partitions that hold root file systems. */
  readonly partitions: readonly [number, number];
  readonly variables: BootVariables;
  /** The number of the one that is mounted as root; `undefined` if it is neither. */
  readonly mountedRoot: number | undefined;
  /** The partition that ran when ArtifactInstall began, if it did. */
  readonly original: number | undefined;
}

/** No variable changes. */
const NOTHING: BootVariables = {};

/**
 * The partition that the boot loader will boot next.
 * @throws AgentError `boot-environment-invalid`.
 */
function activePart({ partitions, variables }: Pick<Situation, "partitions" | "variables">): number {
  const value = variables[BOOT.part];
  const active = value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
  if (active !== undefined && partitions.includes(active)) return active;
  throw new AgentError(
    "boot-environment-invalid",
    `${BOOT.part} is ${JSON.stringify(value ?? "")}, but the root file systems are in partitions ${partitions.join(" and ")}`,
  );
}

function otherPart(partitions: readonly [number, number], part: number): number {
  return part === partitions[0] ? partitions[1] : partitions[0];
}

/** The active partition, which must be the running one. */
function runningPart(situation: Situation): number {
  demandCanary(situation.variables);
  const active = activePart(situation);
  if (situation.mountedRoot === active) return active;
  const mounted = situation.mountedRoot === undefined ? "neither of the two" : `partition ${situation.mountedRoot}`;
  throw new AgentError(
    "root-mismatch",
    `the boot loader's active partition is ${active}, but the mounted root file system is ${mounted}`,
  );
}

function demandNoUpgrade(variables: BootVariables): void {
  if (!upgradeAvailable(variables)) return;
  throw new AgentError(
    "upgrade-under-way",
    `${BOOT.upgradeAvailable} is 1: an earlier update of the root file system was neither committed nor rolled back`,
  );
}

/** DownloadWithFileSizes. @returns The passive partition, where the image goes. */
export function download(situation: Situation): number {
  const active = runningPart(situation);
  demandNoUpgrade(situation.variables);
  return otherPart(situation.partitions, active);
}

/** ArtifactInstall, first half. @returns The running partition, to be written down before any variable is set. */
export function partToRemember(situation: Situation): number {
  return runningPart(situation);
}

/** ArtifactInstall. `upgrade_available` comes last, for tools that set one variable at a time. */
export function install(situation: Situation): BootVariables {
  const passive = download(situation);
  return { ...bootFrom(passive), [BOOT.bootCount]: "0", [BOOT.upgradeAvailable]: "1" };
}

/** ArtifactVerifyReboot: the new root file system runs, uncommitted. */
export function verifyReboot(situation: Situation): void {
  const running = runningPart(situation);
  if (upgradeAvailable(situation.variables)) return;
  const { original } = situation;
  if (original !== undefined && original !== running) {
    throw new AgentError(
      "upgrade-lost",
      `partition ${running} was booted, as it should be, but ${BOOT.upgradeAvailable} is 0: the boot loader's environment lost it, and would not go back by itself`,
    );
  }
  throw new AgentError(
    "upgrade-reverted",
    `${BOOT.upgradeAvailable} is 0: the boot loader went back to partition ${running}, as the new root file system did not boot`,
  );
}

/**
 * NeedsArtifactReboot, before the reboot into the new root file system as well as after a rollback: no reboot is needed
 * where the boot loader went back by itself, or where the new root file system was never booted.
 */
export function needsReboot(situation: Situation): boolean {
  const { variables, mountedRoot } = situation;
  return upgradeAvailable(variables) || mountedRoot !== activePart(situation);
}

/** ArtifactCommit. */
export function commit(situation: Situation): BootVariables {
  verifyReboot(situation);
  return { [BOOT.upgradeAvailable]: "0" };
}

/**
 * ArtifactRollback for a work tree without the partition that ran before, which some clients do not write down: only the
 * environment tells.
 * @returns The partition to go back to; `undefined` if there is nothing to undo.
 */
export function partToGoBackTo(situation: Pick<Situation, "partitions" | "variables">): number | undefined {
  if (!upgradeAvailable(situation.variables)) return undefined;
  return otherPart(situation.partitions, activePart(situation));
}

/**
 * ArtifactRollback, before the reboot, after it, and after the commit. It requires neither the canary nor a known mounted
 * root: a rollback must also work from an unexpected partition.
 */
export function rollback(variables: BootVariables, target: number): BootVariables {
  const wanted = { ...bootFrom(target), [BOOT.upgradeAvailable]: "0" };
  return firstDifference(variables, wanted) === undefined ? NOTHING : wanted;
}

/** ArtifactVerifyRollbackReboot: what ran before runs again. */
export function verifyRollbackReboot(situation: Situation): void {
  const running = runningPart(situation);
  if (upgradeAvailable(situation.variables)) {
    throw new AgentError("not-rolled-back", `${BOOT.upgradeAvailable} is still 1 after the rollback`);
  }
  if (situation.original !== undefined && situation.original !== running) {
    throw new AgentError(
      "not-rolled-back",
      `partition ${running} runs after the rollback, but before the update it was partition ${situation.original}`,
    );
  }
}
