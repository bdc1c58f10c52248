import { given } from "@upkeep/shared/given";
import { isSystemError, type System } from "@upkeep/shared/system";
import type { Blobs } from "../storage/blobs/index.ts";
import { openDirectoryBlobs } from "../storage/blobs/open.ts";
import type { Storage, TableSummary } from "../storage/index.ts";
import { directoryFault, identityOfRecords, mustFit, readClaim } from "../storage/index.ts";
import { absolutePath, defaultDataDirectory, standardOutput } from "../system/environment.ts";
import { type DirectoryLock, lockDirectory } from "../system/lock.ts";
import { parseDatabaseUrl } from "./addresses.ts";
import { BUCKET_OPTIONS, type BucketSettings, bucketOf, openBucket } from "./bucket-options.ts";
import type { CommandBody } from "./commands.ts";
import { DATA_OPTION } from "./data-option.ts";
import { CommandError } from "./failure.ts";
import { moveArtifacts } from "./move/artifacts.ts";
import { moveRecords, type RecordsTarget } from "./move/records.ts";
import { artifactsOf, openSource, secretOf } from "./move/source.ts";

const EPILOGUE = `Stop all servers that use the data directory or the database first. --data, --database and --blobs are those that
the server was started with; --to-database and --to-blobs say where its records and its artifacts go.
Everything is compared at the end: every table by the number and the SHA-256 of its rows, every artifact by its
size and SHA-256. A move that was interrupted starts over when the command is run again; until it has ended, the
server's data are where they were. Afterwards start the server with the options that the command prints.
Records that were moved away stay as upkeep.sqlite.moved, or in PostgreSQL; artifacts stay where they were.
Remove them once the server works.`;

const OPTIONS = {
  data: DATA_OPTION,
  database: { type: "string", describe: "The server's --database, if it has one", requiresArg: true },
  ...BUCKET_OPTIONS,
  blobs: { type: "string", describe: "The server's --blobs, if it has one", requiresArg: true },
  "to-database": {
    type: "string",
    describe: "Where the records go: postgres://USER@HOST:PORT/NAME, which must be empty, or sqlite",
    requiresArg: true,
  },
  "to-blobs": {
    type: "string",
    describe: "Where the artifacts go: s3://BUCKET or s3://BUCKET/PREFIX, with the --s3 options, or files",
    requiresArg: true,
  },
} as const;

interface MoveSettings {
  readonly directory: string;
  readonly database?: string;
  readonly records?: RecordsTarget;
  /** The one bucket that artifacts come from or go to. */
  readonly artifacts?: { readonly to: "files" | "bucket"; readonly bucket: BucketSettings };
}

/** @throws CommandError that names the option at fault. */
export function moveSettingsOf(args: Readonly<Record<string, unknown>>): MoveSettings {
  const directory = absolutePath(typeof args.data === "string" ? args.data : defaultDataDirectory());
  const database = typeof args.database === "string" ? parseDatabaseUrl(args.database) : undefined;
  const records = recordsTargetOf(args["to-database"], database);
  const artifacts = artifactsTargetOf(args);
  if (records === undefined && artifacts === undefined) {
    throw new CommandError("say where to: --to-database, --to-blobs, or both");
  }
  return {
    directory,
    ...given({ database, records, artifacts }),
  };
}

function recordsTargetOf(to: unknown, database: string | undefined): RecordsTarget | undefined {
  if (typeof to !== "string") return undefined;
  if (to === "sqlite") {
    if (database === undefined) throw new CommandError("--to-database sqlite: the records are there; give --database");
    return { engine: "sqlite" };
  }
  if (database !== undefined) {
    throw new CommandError("--to-database: from one PostgreSQL to another, use pg_dump and psql");
  }
  try {
    return { engine: "postgres", url: parseDatabaseUrl(to) };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError("--to-database: must be sqlite, or a URL such as postgres://upkeep@db.example.com/upkeep");
  }
}

function artifactsTargetOf(args: Readonly<Record<string, unknown>>): MoveSettings["artifacts"] {
  const { "to-blobs": to, blobs } = args;
  if (typeof to !== "string") {
    if (blobs !== undefined) throw new CommandError("--blobs needs --to-blobs: artifacts in a bucket stay there");
    return undefined;
  }
  if (to === "files") {
    const bucket = bucketOf(args);
    if (bucket === undefined) throw new CommandError("--to-blobs files: give the bucket that they are in as --blobs");
    return { to: "files", bucket };
  }
  if (blobs !== undefined) {
    throw new CommandError("--to-blobs: from one bucket to another, use the programs of the store");
  }
  try {
    const bucket = bucketOf({ ...args, blobs: to });
    return bucket === undefined ? undefined : { to: "bucket", bucket };
  } catch (error) {
    if (!(error instanceof CommandError) || !error.message.startsWith("--blobs ")) throw error;
    throw new CommandError(`--to-${error.message.slice(2)}, or files`);
  }
}

/** `upkeep-server move` */
export function moveCommand(system: System): CommandBody {
  return {
    builder: (yargs) => yargs.options(OPTIONS).epilogue(EPILOGUE),
    handler: async (args) => {
      const settings = moveSettingsOf(args);
      const lock = await lockStopped(system, settings);
      try {
        const source = await openSource(system.files, settings.directory, settings.database);
        try {
          await move(system, settings, source);
        } finally {
          await source.close();
        }
      } finally {
        lock.release();
      }
    },
  };
}

/** @throws CommandError if a server uses the directory, or other records than those that were named. */
async function lockStopped({ files }: System, { directory, database }: MoveSettings): Promise<DirectoryLock> {
  if ((await files.status(directory)) === undefined) {
    throw new CommandError(`--data ${directory}: there is no such directory`);
  }
  let lock: DirectoryLock;
  try {
    lock = lockDirectory(directory);
  } catch (error) {
    if (isSystemError(error, "EBUSY")) {
      throw new CommandError(`a server is using the data directory ${directory}: stop it first`);
    }
    throw directoryFault(error, directory);
  }
  try {
    mustFit(await readClaim(files, directory), database === undefined ? "sqlite" : "postgres", directory);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function move(system: System, settings: MoveSettings, source: Storage): Promise<void> {
  const { directory, records, artifacts } = settings;
  const linkSecret = await secretOf(source);
  const claim = await readClaim(system.files, directory);
  if (claim !== undefined && claim.records !== identityOfRecords({ linkSecret })) {
    throw new CommandError(`the data directory ${directory} belongs to other records than those of --database`);
  }
  const lines: string[] = [];
  if (artifacts !== undefined) lines.push(await moveBlobs(system, settings, artifacts, source, linkSecret));
  if (records !== undefined) lines.push(summaryOf(await moveRecords(system.files, directory, source, records)));
  standardOutput.write(`${[...lines, startLine(settings)].join("\n")}\n`);
}

async function moveBlobs(
  system: System,
  { directory }: MoveSettings,
  { to, bucket }: NonNullable<MoveSettings["artifacts"]>,
  source: Storage,
  linkSecret: Uint8Array,
): Promise<string> {
  // All servers are stopped: what is unfinished is left over.
  const files = await openDirectoryBlobs(system, directory, Number.POSITIVE_INFINITY);
  const option = to === "bucket" ? "--to-blobs" : "--blobs";
  const objects: Blobs = await openBucket(system, bucket, { linkSecret }, Number.POSITIVE_INFINITY, option);
  const artifacts = await artifactsOf(source);
  if (to === "bucket") await moveArtifacts(files, objects, artifacts);
  else await moveArtifacts(objects, files, artifacts);
  const bytes = artifacts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return `Artifacts: ${artifacts.length}, ${bytes} bytes, each compared by size and SHA-256.`;
}

function summaryOf(tables: readonly TableSummary[]): string {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const lines = tables.filter((table) => table.rows > 0).map((table) => `  ${table.table}: ${table.rows}`);
  return [`Records: ${rows} rows of ${tables.length} tables, each compared by number and SHA-256:`, ...lines].join(
    "\n",
  );
}

/** How to start the server from now on, as far as this command knows. */
function startLine({ directory, database, records, artifacts }: MoveSettings): string {
  const isElsewhere = records === undefined ? database !== undefined : records.engine === "postgres";
  const blobs =
    artifacts?.to === "bucket" ? ` --blobs s3://${artifacts.bucket.bucket}/${artifacts.bucket.prefix} …` : "";
  const without = artifacts?.to === "files" ? ", without --blobs" : "";
  return `Start the server with --data ${directory}${isElsewhere ? " --database …" : ""}${blobs}${without}.`;
}
