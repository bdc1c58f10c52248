import { createDirectoryDurably, isSystemError, readTextFile, replaceFile, type System } from "@upkeep/shared/system";
import { configurationDirectory } from "../system/environment.ts";
import { CtlError } from "./failure.ts";

/** A server with a login. */
export interface Profile {
  /** Without a slash at its end. */
  readonly server: string;
  /** Absent after a logout. */
  readonly token?: string;
  /** Who logged in, if it is known. */
  readonly user?: string;
  /** PEM certificates to trust. */
  readonly ca?: string;
  /** Accept any certificate. */
  readonly insecure?: boolean;
}

/** All profiles of a user. */
export interface Profiles {
  /** Name of the one that is used if no other one is named. */
  readonly current: string;
  readonly profiles: ReadonlyMap<string, Profile>;
}

export const DEFAULT_PROFILE = "default";
const FILE_BYTES_MAX = 4 * 1024 * 1024;
const FILE = "profiles.json";

type Disk = Pick<System, "files">;

function profilesFile(): string {
  return `${configurationDirectory("upkeepctl")}/${FILE}`;
}

/** @throws CtlError if there is a file that is not readable */
export async function readProfiles({ files }: Disk): Promise<Profiles> {
  const path = profilesFile();
  const text = await readTextFile(files, path, FILE_BYTES_MAX).catch((error: unknown) => {
    if (isSystemError(error)) throw new CtlError(`${path} cannot be read: ${error.message}`);
    throw error;
  });
  if (text === undefined) return { current: DEFAULT_PROFILE, profiles: new Map() };
  const profiles = parseProfiles(text);
  if (profiles === undefined) {
    throw new CtlError(`${path} has no profiles as upkeepctl writes them; remove it and log in again`);
  }
  return profiles;
}

function parseProfiles(text: string): Profiles | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(read) || typeof read.current !== "string" || !isObject(read.profiles)) return undefined;
  const entries = Object.entries(read.profiles);
  if (!entries.every((entry): entry is [string, Profile] => isProfile(entry[1]))) return undefined;
  return { current: read.current, profiles: new Map(entries) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isProfile(value: unknown): value is Profile {
  if (!isObject(value) || typeof value.server !== "string") return false;
  const texts = [value.token, value.user, value.ca];
  return (
    texts.every((text) => text === undefined || typeof text === "string") &&
    (value.insecure === undefined || typeof value.insecure === "boolean")
  );
}

/** Only the user can read them: they hold tokens. */
export async function writeProfiles({ files }: Disk, { current, profiles }: Profiles): Promise<void> {
  const path = profilesFile();
  const content = { current, profiles: Object.fromEntries([...profiles].sort(([a], [b]) => (a < b ? -1 : 1))) };
  await createDirectoryDurably(files, configurationDirectory("upkeepctl"), 0o700);
  await replaceFile(files, path, `${JSON.stringify(content, undefined, 2)}\n`, 0o600);
}
