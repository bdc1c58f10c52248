import { applyProvides, type Provides } from "@upkeep/shared/compatibility";
import { type DeviceProvides, PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { ArtifactRecord } from "../update/journal.ts";
import type { DeviceStore } from "./store.ts";

/** The name of what is installed on a device that never installed an artifact. */
export const UNKNOWN_ARTIFACT = "unknown";

/** What an artifact's name ends in when the device runs something between it and what ran before. */
export const INCONSISTENT_SUFFIX = "_INCONSISTENT";

/** Everything that is installed, `artifact_name` always included. */
export function installedProvides(store: Pick<DeviceStore, "provides">): Provides & { readonly artifact_name: string } {
  return { artifact_name: UNKNOWN_ARTIFACT, ...store.provides };
}

/** What the server is told that the device provides, as far as a server takes it: values that are empty say nothing. */
export function toldProvides(store: Pick<DeviceStore, "provides">, deviceType: string): DeviceProvides {
  const { artifact_name, ...others } = installedProvides(store);
  const told = Object.entries(others).filter(([, value]) => value !== "");
  return { ...Object.fromEntries(told), artifact_name, device_type: deviceType };
}

/** What an artifact's depends are held against. */
export function deviceProvides(store: Pick<DeviceStore, "provides">, deviceType: string): Provides {
  return { ...installedProvides(store), device_type: deviceType };
}

function changeOf(artifact: ArtifactRecord) {
  return {
    artifactName: artifact.name,
    artifactGroup: artifact.group ?? undefined,
    provides: artifact.provides ?? undefined,
    clears: artifact.clears ?? undefined,
  };
}

/** What is provided once `artifact` is installed. */
export function committedProvides(before: Provides, artifact: ArtifactRecord): Provides {
  return applyProvides(before, changeOf(artifact));
}

/**
 * What is provided when nobody knows what is installed: the name says so, the group is the new one.
 * @param looped The update was given up as a loop: everything else is taken from the artifact too.
 */
export function inconsistentProvides(before: Provides, artifact: ArtifactRecord, looped: boolean): Provides {
  // Cut, where it would be longer than servers take.
  const name = artifact.name.slice(0, PROTOCOL_LIMITS.textMax - INCONSISTENT_SUFFIX.length) + INCONSISTENT_SUFFIX;
  if (looped) return { ...committedProvides(before, artifact), artifact_name: name };
  return { ...before, ...(artifact.group ? { artifact_group: artifact.group } : {}), artifact_name: name };
}
