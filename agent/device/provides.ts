import { applyProvides, type Provides } from "@upkeep/shared/compatibility";
import { type DeviceProvides, PROTOCOL_LIMITS } from "@upkeep/shared/protocol";

/** Where the installed provides are kept: the device's store. */
interface ProvidesHolder {
  /** `undefined` on a device that never installed an artifact. */
  readonly provides: Provides | undefined;
}

/** The fields of an artifact's header that change the device's provides; `null` where the header has no such field. */
interface InstalledArtifact {
  readonly name: string;
  readonly group: string | null;
  readonly provides: Provides | null;
  readonly clears: readonly string[] | null;
}

/** The artifact name of a device that never installed an artifact. */
export const UNKNOWN_ARTIFACT = "unknown";

/** The end of an artifact's name when the device is in an inconsistent state. */
export const INCONSISTENT_SUFFIX = "_INCONSISTENT";

/** Everything that is installed, `artifact_name` always included. */
export function installedProvides(store: ProvidesHolder): Provides & { readonly artifact_name: string } {
  return { artifact_name: UNKNOWN_ARTIFACT, ...store.provides };
}

/** The provides that are sent to the server, without the empty values, which servers refuse. */
export function toldProvides(store: ProvidesHolder, deviceType: string): DeviceProvides {
  const { artifact_name, ...others } = installedProvides(store);
  const told = Object.entries(others).filter(([, value]) => value !== "");
  return { ...Object.fromEntries(told), artifact_name, device_type: deviceType };
}

/** The provides that an artifact's depends are matched with. */
export function deviceProvides(store: ProvidesHolder, deviceType: string): Provides {
  return { ...installedProvides(store), device_type: deviceType };
}

function changeOf(artifact: InstalledArtifact) {
  return {
    artifactName: artifact.name,
    artifactGroup: artifact.group ?? undefined,
    provides: artifact.provides ?? undefined,
    clears: artifact.clears ?? undefined,
  };
}

/** The provides once `artifact` is installed. */
export function committedProvides(before: Provides, artifact: InstalledArtifact): Provides {
  return applyProvides(before, changeOf(artifact));
}

/**
 * The provides of a device in an inconsistent state: the name says so, the group is the new one.
 * @param looped The update was given up as a loop: everything else is taken from the artifact too.
 */
export function inconsistentProvides(before: Provides, artifact: InstalledArtifact, looped: boolean): Provides {
  // Cut to the longest name that servers accept.
  const name = artifact.name.slice(0, PROTOCOL_LIMITS.textMax - INCONSISTENT_SUFFIX.length) + INCONSISTENT_SUFFIX;
  if (looped) return { ...committedProvides(before, artifact), artifact_name: name };
  return { ...before, ...(artifact.group ? { artifact_group: artifact.group } : {}), artifact_name: name };
}
