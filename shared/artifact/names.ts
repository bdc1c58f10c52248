import { harmfulCharacter, printable } from "../text/index.ts";
import { ArtifactError } from "./errors.ts";
import { ARTIFACT_LIMITS } from "./limits.ts";

/** A name for a message: quoted, escaped and shortened. */
export function quoted(name: string): string {
  return printable(JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name));
}

/**
 * Refuses names that lead out of their directory, and names that are unsafe to show or to store: control characters,
 * direction overrides, empty components, components longer than Linux allows.
 */
export function checkPath(path: string, where: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > ARTIFACT_LIMITS.entryNameBytesMax) {
    throw new ArtifactError("name-too-long", `${where}: the name ${quoted(path)} is ${bytes} bytes long`);
  }
  if (path === "" || path.includes("\ufffd") || harmfulCharacter(path) !== undefined) {
    throw new ArtifactError("name-unsafe", `${where}: ${quoted(path)} is no name for a file`);
  }
  const parts = path.split("/");
  if (path.startsWith("/") || parts.includes("..")) {
    throw new ArtifactError("name-climbs", `${where}: the name ${quoted(path)} leads out of its directory`);
  }
  if (parts.some((part) => part === "" || part === ".")) {
    throw new ArtifactError("name-unsafe", `${where}: ${quoted(path)} is no name for a file`);
  }
  for (const part of parts) {
    if (Buffer.byteLength(part) > ARTIFACT_LIMITS.fileNameBytesMax) {
      throw new ArtifactError("name-too-long", `${where}: the file name ${quoted(part)} is longer than 255 bytes`);
    }
  }
}

/** {@link checkPath}, for names that must be a single component. */
export function checkFileName(name: string, where: string): void {
  checkPath(name, where);
  if (name.includes("/")) {
    throw new ArtifactError("name-unsafe", `${where}: the name ${quoted(name)} has directories in it`);
  }
}
