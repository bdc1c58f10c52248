import { SystemError } from "@upkeep/shared/system";

const NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** True for what a blob may be called: a UUID in lower case. */
export function isBlobName(name: string): boolean {
  return NAME.test(name);
}

/** @throws SystemError (EINVAL) */
export function checkBlobName(name: string): string {
  if (!isBlobName(name)) throw new SystemError("EINVAL", `${JSON.stringify(name)} is no name of a blob`);
  return name;
}
