import { mismatches, type Provides } from "@upkeep/shared/compatibility";
import type { ArtifactRecord } from "../../storage/index.ts";

/**
 * The artifact of a release for a device: its device types and depends match the device's provides. Of several
 * artifacts, the smallest, then the newest.
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

/** Provides that identify the content of an artifact beside its name. */
const CONTENT_KEY = /(^|\.)(checksum|version)$/;

/** True if the device reports the artifact's name, and no other checksum or version than the artifact provides. */
export function isInstalled(artifact: ArtifactRecord, provides: Provides): boolean {
  if (provides.artifact_name !== artifact.name) return false;
  return Object.entries(artifact.provides).every(
    ([key, value]) => !CONTENT_KEY.test(key) || !Object.hasOwn(provides, key) || provides[key] === value,
  );
}

/** What a device gets of a deployment, once it is its turn. */
export type Offer =
  | { readonly kind: "artifact"; readonly artifact: ArtifactRecord }
  | { readonly kind: "already-installed"; readonly artifact: ArtifactRecord }
  | { readonly kind: "no-artifact" };

/**
 * @param artifact The artifact for the device. `undefined`: none fits.
 * @param force Offer it even if it is installed.
 */
export function offerOf(artifact: ArtifactRecord | undefined, provides: Provides, force: boolean): Offer {
  if (artifact === undefined) return { kind: "no-artifact" };
  return { kind: !force && isInstalled(artifact, provides) ? "already-installed" : "artifact", artifact };
}

/** True if both have the same keys and values. */
export function sameProvides(a: Provides, b: Provides): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}
