import type { Logger } from "@upkeep/shared/logging";
import { type Files, isSystemError } from "@upkeep/shared/system";
import { type DirectoryLock, lockDirectory } from "../system/lock.ts";
import { isBlobName } from "./blobs/index.ts";
import { CLAIM_FILE, type Claim, type Engine, identityOfRecords, readClaim, writeClaim } from "./claim.ts";
import { DataDirectoryError } from "./data-directory-error.ts";
import { ARTIFACT_DIRECTORY, IDENTITY_DIRECTORY, KEY_FILE } from "./data-layout.ts";
import { explained } from "./explained.ts";
import { makePrivate } from "./private-files.ts";
import { DATABASE_FILE } from "./sqlite.ts";

/** How long a server waits while another one of the same records claims the directory, in milliseconds. */
const CLAIMING_MS_MAX = 10_000;

/** Files in a data directory that hold secrets, or what others need not know. */
const PRIVATE_FILES = [
  ...["", "-wal", "-shm", ".moved"].map((suffix) => DATABASE_FILE + suffix),
  CLAIM_FILE,
  `${IDENTITY_DIRECTORY}/${KEY_FILE}`,
];

/**
 * Take files with secrets from everybody but their owner, and report those that others could read. Also report a
 * directory that others can read: artifacts and names of files are in it.
 */
export async function checkPermissions(files: Files, directory: string, logger: Logger): Promise<void> {
  for (const name of PRIVATE_FILES) {
    const path = `${directory}/${name}`;
    const exposed = await makePrivate(files, path);
    if (exposed === undefined) continue;
    const { before, fault } = exposed;
    if (fault !== undefined) {
      logger.warning(`others can read ${path} (mode ${octal(before)}), which may hold secrets: ${fault}`);
      continue;
    }
    logger.warning(`others could read ${path} (mode ${octal(before)}), which may hold secrets; now only its owner can`);
  }
  const { mode = 0 } = (await files.status(directory)) ?? {};
  if ((mode & 0o077) === 0) return;
  logger.warning(
    `others can read the data directory ${directory} (mode ${octal(mode)}): run \`chmod 700 ${directory}\``,
  );
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8);
}

/** The records that claim a data directory. */
export interface RecordsOwner {
  readonly linkSecret: Uint8Array;
  readonly artifactIds: () => Promise<readonly string[]>;
}

/**
 * A data directory that this process has locked. It belongs to one set of records: its claim says to which.
 * Servers that share records in PostgreSQL may share the directory.
 */
export class DataDirectory {
  readonly path: string;
  readonly #files: Files;
  readonly #engine: Engine;
  #lock: DirectoryLock;
  #claim: Claim | undefined;

  private constructor(files: Files, path: string, engine: Engine, lock: DirectoryLock, claim: Claim | undefined) {
    this.#files = files;
    this.path = path;
    this.#engine = engine;
    this.#lock = lock;
    this.#claim = claim;
  }

  /**
   * Make the directory if it is not there, and lock it.
   * @param engine What keeps the records.
   * @throws DataDirectoryError if it cannot be used, or not with such records.
   */
  static async open(files: Files, path: string, engine: Engine): Promise<DataDirectory> {
    try {
      await files.makeDirectory(path, 0o700);
      const known = await readClaim(files, path);
      mustFit(known, engine, path);
      const lock = engine === "postgres" && known !== undefined ? lockShared(path) : lockFirst(path, engine);
      const directory = new DataDirectory(files, path, engine, lock, await readClaim(files, path));
      try {
        mustFit(directory.#claim, engine, path);
        if (engine === "sqlite") await directory.#mustNotStartAnew();
      } catch (error) {
        lock.release();
        throw error;
      }
      return directory;
    } catch (error) {
      throw directoryFault(error, path);
    }
  }

  /** New records know nothing of artifacts that are there. */
  async #mustNotStartAnew(): Promise<void> {
    if (this.#claim !== undefined || (await this.#hasOwnRecords())) return;
    const stored = await this.#storedArtifacts();
    if (stored.length > 0) throw this.#unknownArtifacts(stored.length, "new records");
  }

  /**
   * Claim the directory for these records, unless it is theirs already. A directory of a version without claims is
   * theirs if it has at least one artifact that they know, or none at all.
   * @throws DataDirectoryError if it belongs to other records.
   */
  async claim(owner: RecordsOwner): Promise<void> {
    try {
      const records = identityOfRecords(owner);
      if (this.#claim === undefined) {
        await this.#mustMatch(await owner.artifactIds());
        await writeClaim(this.#files, this.path, { records, engine: this.#engine });
      }
      if (this.#engine === "postgres") this.#share();
      this.#claim = await readClaim(this.#files, this.path);
      mustFit(this.#claim, this.#engine, this.path);
      if (this.#claim?.records !== records) {
        throw new DataDirectoryError(
          `the data directory ${this.path} belongs to other records: start the server with the --database that it had, or choose another --data`,
        );
      }
    } catch (error) {
      throw directoryFault(error, this.path);
    }
  }

  /** Let servers with the same records in. */
  #share(): void {
    this.#lock.release();
    this.#lock = lockShared(this.path);
  }

  async #mustMatch(artifactIds: readonly string[]): Promise<void> {
    const known = new Set(artifactIds);
    const stored = await this.#storedArtifacts();
    if (stored.some((name) => known.has(name))) return;
    if (stored.length > 0) throw this.#unknownArtifacts(stored.length, "these records");
    if (this.#engine === "postgres" && (await this.#hasOwnRecords())) {
      throw new DataDirectoryError(
        `the data directory ${this.path} has records of its own in ${DATABASE_FILE}: start the server without --database, or move them with \`upkeep-server move\`, or choose another --data`,
      );
    }
  }

  #unknownArtifacts(count: number, records: string): DataDirectoryError {
    const artifacts = count === 1 ? "1 artifact" : `${count} artifacts`;
    const hint = this.#engine === "postgres" ? "is --database another one" : "is --database missing";
    return new DataDirectoryError(
      `the data directory ${this.path} holds ${artifacts} that ${records} do not know, and does not say whose they are: ${hint}? If nothing needs them, move ${this.path}/${ARTIFACT_DIRECTORY} away`,
    );
  }

  async #storedArtifacts(): Promise<string[]> {
    const directory = `${this.path}/${ARTIFACT_DIRECTORY}`;
    if ((await this.#files.status(directory)) === undefined) return [];
    return (await this.#files.list(directory)).map(({ name }) => name).filter(isBlobName);
  }

  async #hasOwnRecords(): Promise<boolean> {
    return (await this.#files.status(`${this.path}/${DATABASE_FILE}`)) !== undefined;
  }

  release(): void {
    this.#lock.release();
  }
}

function lockShared(path: string): DirectoryLock {
  return lockDirectory(path, "shared", CLAIMING_MS_MAX);
}

/** The first server that uses a directory has it for itself until it has claimed it. */
function lockFirst(path: string, engine: Engine): DirectoryLock {
  try {
    return lockDirectory(path);
  } catch (error) {
    if (engine === "sqlite" || !isSystemError(error, "EBUSY")) throw error;
    return lockShared(path);
  }
}

/** @throws DataDirectoryError if the directory belongs to records that are elsewhere. */
export function mustFit(claim: Claim | undefined, engine: Engine, path: string): void {
  if (claim === undefined || claim.engine === engine) return;
  throw new DataDirectoryError(
    claim.engine === "postgres"
      ? `the data directory ${path} belongs to records in PostgreSQL: give --database, as the server had it before, or choose another --data`
      : `the data directory ${path} belongs to the records in its own ${DATABASE_FILE}: leave --database out, or move them there with \`upkeep-server move\`, or choose another --data`,
  );
}

/** What a person is told of a directory that cannot be used. */
export function directoryFault(error: unknown, path: string): unknown {
  if (isSystemError(error, "EBUSY"))
    return new DataDirectoryError(`another server is using the data directory ${path}`);
  const reason = error instanceof DataDirectoryError ? undefined : explained(error);
  return reason === undefined ? error : new DataDirectoryError(`the data directory ${path} cannot be used: ${reason}`);
}
