import { AgentError } from "../../errors.ts";

/** Variables of the boot loader's environment, as its tools print them. */
export type BootVariables = Readonly<Record<string, string>>;

/** The variables that the boot loader's scripts and we share. */
export const BOOT = {
  part: "mender_boot_part",
  partHex: "mender_boot_part_hex",
  upgradeAvailable: "upgrade_available",
  bootCount: "bootcount",
  canaryWanted: "mender_check_saveenv_canary",
  canary: "mender_saveenv_canary",
} as const;

/** Parses the output of `fw_printenv`: one `name=value` a line. Other lines are ignored. */
export function parseVariables(listing: string): BootVariables {
  return Object.fromEntries(
    listing.split("\n").flatMap((line) => {
      const equals = line.indexOf("=");
      return equals > 0 ? [[line.slice(0, equals), line.slice(equals + 1).replace(/\r$/, "")]] : [];
    }),
  );
}

/** The first of `wanted` that differs in `found`; `undefined` if all are equal. */
export function firstDifference(found: BootVariables, wanted: BootVariables): string | undefined {
  return Object.keys(wanted).find((name) => found[name] !== wanted[name]);
}

/** Variables that make the boot loader boot the partition with this number. */
export function bootFrom(part: number): BootVariables {
  return { [BOOT.part]: String(part), [BOOT.partHex]: part.toString(16) };
}

/**
 * `upgrade_available`: true while an update is not committed. An absent variable means no.
 * @throws AgentError `boot-environment-invalid`.
 */
export function upgradeAvailable(variables: BootVariables): boolean {
  const value = variables[BOOT.upgradeAvailable] ?? "";
  if (value === "1") return true;
  if (value === "0" || value === "") return false;
  throw new AgentError("boot-environment-invalid", `${BOOT.upgradeAvailable} is ${JSON.stringify(value)}, not 0 or 1`);
}

/**
 * A build may require proof that we read the environment that the boot loader saves: it saves the canary at boot.
 * @throws AgentError `boot-environment-canary`.
 */
export function demandCanary(variables: BootVariables): void {
  if (variables[BOOT.canaryWanted] !== "1" || variables[BOOT.canary] === "1") return;
  throw new AgentError(
    "boot-environment-canary",
    `${BOOT.canaryWanted} is 1, but ${BOOT.canary} is ${JSON.stringify(variables[BOOT.canary] ?? "")}: ` +
      "the boot loader does not save its environment where it is read from here; check how it is integrated",
  );
}
