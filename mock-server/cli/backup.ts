import { createDirectoryDurably, type Files, isSystemError, replaceFile, type System } from "@upkeep/shared/system";
import { artifactsInCopy, copyRecords, type RecordedArtifact } from "../storage/backup.ts";
import { ARTIFACT_DIRECTORY, IDENTITY_DIRECTORY } from "../storage/data-layout.ts";
import { createPrivateFile, DATABASE_FILE, explained, storageFaultOf } from "../storage/index.ts";
import { absolutePath, defaultDataDirectory, standardOutput } from "../system/environment.ts";
import type { CommandBody } from "./commands.ts";
import { copyDirectory, copyFile, faultOfBytes, MANIFEST_FILE, MANIFEST_VERSION } from "./copying.ts";
import { DATA_OPTION } from "./data-option.ts";
import { CommandError } from "./failure.ts";

/** Attempts: a copy of the records is repeated if one of their artifacts was deleted meanwhile. */
const ATTEMPTS = 5;

const EPILOGUE = `The server may run meanwhile. The backup is complete when the command ends with status 0; it holds
secrets (keys, password hashes) and is for its owner's eyes only.
With serve --blobs: --records-only copies all but the artifacts, which stay in their bucket. Its own versions or
copies are their backup; a server that starts on older records removes from it what those do not know.
With serve --database: copy the directory "artifacts" of the data directory, then run pg_dump, then copy
the directory once more; to restore, put the artifacts back and load the dump with psql or pg_restore.`;

/** `upkeep-server backup` */
export function backupCommand({ files, clock }: System): CommandBody {
  return {
    builder: (yargs) =>
      yargs
        .options({
          data: DATA_OPTION,
          to: {
            type: "string",
            describe: "Directory for the backup; made, and must not be there",
            demandOption: true,
            requiresArg: true,
          },
          "records-only": {
            type: "boolean",
            describe: "Leave the artifacts out: they are in the bucket of serve --blobs",
            default: false,
          },
        })
        .epilogue(EPILOGUE),
    handler: async ({ data, to, recordsOnly }) => {
      const from = absolutePath(typeof data === "string" ? data : defaultDataDirectory());
      const target = absolutePath(String(to));
      const only = recordsOnly === true;
      if (!only) await mustHaveArtifacts(files, from);
      await prepare(files, from, target);
      const artifacts = await explaining(from, target, () =>
        only ? copyOnlyRecords(files, from, target) : copyAll(files, from, target),
      );
      const created = new Date(clock.now()).toISOString();
      const manifest = { version: MANIFEST_VERSION, created, artifacts, ...(only ? { records_only: true } : {}) };
      await replaceFile(files, `${target}/${MANIFEST_FILE}`, `${JSON.stringify(manifest)}\n`);
      standardOutput.write(`Backup of ${from} ${only ? "without" : `with ${artifacts}`} artifacts: ${target}\n`);
    },
  };
}

/** @throws CommandError that names what cannot be read or written. */
async function explaining<T>(from: string, target: string, copy: () => Promise<T>): Promise<T> {
  try {
    return await copy();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const reason = explained(error);
    if (reason === undefined) throw error;
    const isSource = storageFaultOf(error)?.kind === "not-a-database";
    throw new CommandError(`${isSource ? `${from}/${DATABASE_FILE}` : `--to ${target}`}: ${reason}`);
  }
}

async function mustHaveArtifacts(files: Files, from: string): Promise<void> {
  if ((await files.status(`${from}/${DATABASE_FILE}`)) === undefined) return;
  if ((await files.status(`${from}/${ARTIFACT_DIRECTORY}`)) !== undefined) return;
  throw new CommandError(
    `--data ${from}: there is no directory ${ARTIFACT_DIRECTORY}: with serve --blobs, say --records-only`,
  );
}

async function prepare(files: Files, from: string, target: string): Promise<void> {
  if ((await files.status(`${from}/${DATABASE_FILE}`)) === undefined) {
    throw new CommandError(`--data ${from}: there is no ${DATABASE_FILE}, so this is no server's data directory`);
  }
  if ((await files.status(target)) !== undefined) throw new CommandError(`--to ${target}: is there already`);
  try {
    await createDirectoryDurably(files, target, 0o700);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new CommandError(`--to ${target}: cannot be made: ${error.message}`);
  }
}

/** @returns That there are no artifacts. */
async function copyOnlyRecords(files: Files, from: string, target: string): Promise<0> {
  await copyDirectory(files, `${from}/${IDENTITY_DIRECTORY}`, `${target}/${IDENTITY_DIRECTORY}`);
  const records = `${target}/${DATABASE_FILE}`;
  await createPrivateFile(files, records);
  await copyRecords(from, records);
  // Read whole, to find what is damaged.
  artifactsInCopy(records);
  await keepRecords(files, target);
  return 0;
}

async function keepRecords(files: Files, target: string): Promise<void> {
  const records = `${target}/${DATABASE_FILE}`;
  const handle = await files.open(records, "update");
  await handle.sync();
  await handle.close();
  await files.syncDirectory(target);
}

/** @returns How many artifacts there are. */
async function copyAll(files: Files, from: string, target: string): Promise<number> {
  await copyDirectory(files, `${from}/${IDENTITY_DIRECTORY}`, `${target}/${IDENTITY_DIRECTORY}`);
  await createDirectoryDurably(files, `${target}/${ARTIFACT_DIRECTORY}`, 0o700);
  const records = `${target}/${DATABASE_FILE}`;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    await files.remove(records);
    await createPrivateFile(files, records);
    await copyRecords(from, records);
    const artifacts = artifactsInCopy(records);
    if (!(await copyArtifacts(files, from, target, artifacts))) continue;
    await removeOthers(files, target, artifacts);
    await keepRecords(files, target);
    return artifacts.length;
  }
  throw new CommandError(`artifacts were deleted during each of ${ATTEMPTS} attempts; the backup is not complete`);
}

/** @returns False if one has been deleted since the records were copied. */
async function copyArtifacts(
  files: Files,
  from: string,
  target: string,
  artifacts: readonly RecordedArtifact[],
): Promise<boolean> {
  for (const artifact of artifacts) {
    const copy = `${target}/${ARTIFACT_DIRECTORY}/${artifact.id}`;
    // What an earlier attempt copied: an artifact never changes.
    if ((await files.status(copy)) !== undefined) continue;
    try {
      await copyFile(files, `${from}/${ARTIFACT_DIRECTORY}/${artifact.id}`, copy);
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return false;
      throw error;
    }
    const fault = await faultOfBytes(files, copy, artifact);
    if (fault !== undefined) throw new CommandError(`artifact ${artifact.id} ${fault}; the backup is not complete`);
  }
  await files.syncDirectory(`${target}/${ARTIFACT_DIRECTORY}`);
  return true;
}

/** What an earlier attempt copied and the records no longer tell of. */
async function removeOthers(files: Files, target: string, artifacts: readonly RecordedArtifact[]): Promise<void> {
  const known = new Set(artifacts.map(({ id }) => id));
  const directory = `${target}/${ARTIFACT_DIRECTORY}`;
  for (const { name } of await files.list(directory)) {
    if (!known.has(name)) await files.remove(`${directory}/${name}`);
  }
  await files.syncDirectory(directory);
}
