import { mismatches, type Provides } from "@upkeep/shared/compatibility";
import type { ArtifactRecord } from "../storage/index.ts";

/**
 * The artifact of a release that a device gets: it is for the device's type and all that it depends on is
 * there; of several, the smallest, then the newest.
 */
export function chooseArtifact(release: readonly ArtifactRecord[], provides: Provides): ArtifactRecord | undefined {
  const [best] = release.filter((artifact) => fits(artifact, provides)).sort(bySizeThenAge);
  return best;
}

function fits({ depends, deviceTypes }: ArtifactRecord, provides: Provides): boolean {
  return mismatches({ ...depends, device_type: deviceTypes }, provides).length === 0;
}

function bySizeThenAge(a: ArtifactRecord, b: ArtifactRecord): number {
  return a.sizeBytes - b.sizeBytes || b.modifiedMs - a.modifiedMs || (a.id < b.id ? -1 : 1);
}

/** Provides that tell one content from another under the same artifact name. */
const CONTENT_KEY = /(^|\.)(checksum|version)$/;

/**
 * True if the device runs this artifact: it reports its name, and no checksum or version that the artifact
 * would bring is reported differently.
 */
export function isInstalled(artifact: ArtifactRecord, provides: Provides): boolean {
  if (provides.artifact_name !== artifact.name) return false;
  return Object.entries(artifact.provides).every(
    ([key, value]) => !CONTENT_KEY.test(key) || !Object.hasOwn(provides, key) || provides[key] === value,
  );
}

/** True if both say the same of a device, in whatever order. */
export function sameProvides(a: Provides, b: Provides): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}
