import { createDirectoryDurably, type Files, isSystemError, readTextFile, type System } from "@upkeep/shared/system";
import * as z from "zod";
import { artifactsInCopy, type RecordedArtifact } from "../storage/backup.ts";
import { ARTIFACT_DIRECTORY, IDENTITY_DIRECTORY } from "../storage/data-layout.ts";
import { DATABASE_FILE, explained } from "../storage/index.ts";
import { absolutePath, defaultDataDirectory, standardOutput } from "../system/environment.ts";
import type { CommandBody } from "./commands.ts";
import { copyDirectory, copyFile, faultOfBytes, MANIFEST_FILE, MANIFEST_VERSION } from "./copying.ts";
import { DATA_OPTION } from "./data-option.ts";
import { CommandError } from "./failure.ts";

const MANIFEST_BYTES_MAX = 64 * 1024;

const Manifest = z.object({
  version: z.literal(MANIFEST_VERSION),
  created: z.string(),
  artifacts: z.number(),
  records_only: z.boolean().default(false),
});
type Manifest = z.infer<typeof Manifest>;

/** `upkeep-server restore` */
export function restoreCommand({ files }: System): CommandBody {
  return {
    builder: (yargs) =>
      yargs
        .options({
          from: { type: "string", describe: "The backup's directory", demandOption: true, requiresArg: true },
          data: { ...DATA_OPTION, describe: "The data directory; made, and must not hold anything yet" },
        })
        .epilogue("Everything in the backup is checked before anything is written. Then start the server with --data."),
    handler: async ({ data, from }) => {
      const source = absolutePath(String(from));
      const target = absolutePath(typeof data === "string" ? data : defaultDataDirectory());
      const { created, artifacts, recordsOnly } = await check(files, source);
      await mustBeEmpty(files, target);
      await explaining(target, () => copyAll(files, source, target, artifacts));
      const what = recordsOnly
        ? "without artifacts: start the server with the --blobs that it had"
        : `with ${artifacts.length} artifacts`;
      standardOutput.write(`Restored ${target}, as it was at ${created}, ${what}\n`);
    },
  };
}

/** @throws CommandError that names the target, if it cannot be written. */
async function explaining(target: string, copy: () => Promise<void>): Promise<void> {
  try {
    await copy();
  } catch (error) {
    const reason = explained(error);
    throw reason === undefined ? error : new CommandError(`--data ${target}: ${reason}`);
  }
}

/** @throws CommandError that says what is wrong with the backup. */
async function check(
  files: Files,
  source: string,
): Promise<{
  readonly created: string;
  readonly artifacts: readonly RecordedArtifact[];
  readonly recordsOnly: boolean;
}> {
  const { created, records_only: recordsOnly } = await manifestOf(files, source);
  let artifacts: readonly RecordedArtifact[];
  try {
    artifacts = artifactsInCopy(`${source}/${DATABASE_FILE}`);
  } catch (error) {
    const reason = explained(error) ?? (error instanceof Error ? error.message : String(error));
    throw new CommandError(`--from ${source}: the records cannot be read: ${reason}`);
  }
  if (recordsOnly) return { created, artifacts: [], recordsOnly };
  for (const artifact of artifacts) {
    const fault = await faultOfBytes(files, `${source}/${ARTIFACT_DIRECTORY}/${artifact.id}`, artifact);
    if (fault !== undefined) throw new CommandError(`--from ${source}: artifact ${artifact.id} ${fault}`);
  }
  return { created, artifacts, recordsOnly };
}

async function manifestOf(files: Files, source: string): Promise<Manifest> {
  const text = await readTextFile(files, `${source}/${MANIFEST_FILE}`, MANIFEST_BYTES_MAX);
  if (text === undefined) {
    throw new CommandError(
      `--from ${source}: there is no ${MANIFEST_FILE}, so this is no backup, or not a complete one`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new CommandError(`--from ${source}: ${MANIFEST_FILE}: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = Manifest.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CommandError(`--from ${source}: ${MANIFEST_FILE}: ${issue?.path.join(".")}: ${issue?.message}`);
}

async function mustBeEmpty(files: Files, target: string): Promise<void> {
  try {
    if ((await files.list(target)).length > 0) throw new CommandError(`--data ${target}: is not empty`);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return;
    const reason = explained(error);
    throw reason === undefined || error instanceof CommandError
      ? error
      : new CommandError(`--data ${target}: cannot be used: ${reason}`);
  }
}

/** The records come last: a server never starts on half of a backup. */
async function copyAll(
  files: Files,
  source: string,
  target: string,
  artifacts: readonly RecordedArtifact[],
): Promise<void> {
  const directory = `${target}/${ARTIFACT_DIRECTORY}`;
  await createDirectoryDurably(files, target, 0o700);
  await createDirectoryDurably(files, directory, 0o700);
  await copyDirectory(files, `${source}/${IDENTITY_DIRECTORY}`, `${target}/${IDENTITY_DIRECTORY}`);
  for (const { id } of artifacts) await copyFile(files, `${source}/${ARTIFACT_DIRECTORY}/${id}`, `${directory}/${id}`);
  await files.syncDirectory(directory);
  await copyFile(files, `${source}/${DATABASE_FILE}`, `${target}/${DATABASE_FILE}`);
  await files.syncDirectory(target);
}
