import { basename, dirname, join } from "node:path";
import type { StateScript } from "@upkeep/shared/artifact";
import type { SourceFile } from "@upkeep/shared/artifact/write";
import { type FileHandle, isSystemError, readChunks, readTextFile } from "@upkeep/shared/system";
import { absolutePath } from "../../system/environment.ts";
import { ArtifactCommandError, type ArtifactContext, EXIT } from "./run.ts";

const SMALL_FILE_BYTES_MAX = 8 * 1024 * 1024;

/** A file that goes into a payload. */
export async function sourceFile(context: ArtifactContext, path: string): Promise<SourceFile> {
  const { files } = context.system;
  const absolute = absolutePath(path);
  const status = await files.status(absolute);
  if (status === undefined) throw new ArtifactCommandError("ENOENT", `${path}: there is no such file`);
  if (status.kind !== "file") throw new ArtifactCommandError("not-a-file", `${path} is a ${status.kind}, not a file`);
  return {
    name: basename(absolute),
    sizeBytes: status.sizeBytes,
    async *read() {
      const handle = await files.open(absolute, "read");
      try {
        yield* readChunks(handle);
      } finally {
        await handle.close();
      }
    },
  };
}

/** The text of a file that must be there: a key, or meta-data. */
export async function smallFile(context: ArtifactContext, path: string): Promise<string> {
  const text = await readTextFile(context.system.files, absolutePath(path), SMALL_FILE_BYTES_MAX);
  if (text === undefined) throw new ArtifactCommandError("ENOENT", `${path}: there is no such file`);
  return text;
}

/** State scripts: files, and all files of directories. */
export async function stateScripts(context: ArtifactContext, paths: readonly string[]): Promise<StateScript[]> {
  const { files } = context.system;
  const scripts: StateScript[] = [];
  for (const path of paths) {
    const isDirectory = (await files.status(absolutePath(path)))?.kind === "directory";
    const names = isDirectory ? (await files.list(absolutePath(path))).map(({ name }) => join(path, name)) : [path];
    for (const each of names) {
      scripts.push({ name: basename(each), content: new TextEncoder().encode(await smallFile(context, each)) });
    }
  }
  return scripts;
}

/** The bytes of an artifact, and how many there are. */
export interface OpenedArtifact {
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** Use an artifact's file, closing it afterwards. */
export async function withArtifact<T>(
  context: ArtifactContext,
  path: string,
  use: (artifact: OpenedArtifact) => Promise<T>,
): Promise<T> {
  let handle: FileHandle;
  try {
    handle = await context.system.files.open(absolutePath(path), "read");
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new ArtifactCommandError(cause.code, `${path} cannot be opened: ${cause.message}`, EXIT.cannotOpen, {
      cause,
    });
  }
  try {
    const { sizeBytes } = await handle.status();
    return await use({ sizeBytes, content: readChunks(handle) });
  } finally {
    await handle.close();
  }
}

/** Ends work that a signal was sent to end. */
class Interruption {
  #signal: string | undefined;
  readonly #stop: readonly (() => void)[];

  constructor(context: ArtifactContext) {
    this.#stop = (["SIGINT", "SIGTERM"] as const).map((name) =>
      context.system.processes.onSignal(name, () => {
        this.#signal = name;
      }),
    );
  }

  check(): void {
    if (this.#signal !== undefined) throw new ArtifactCommandError("interrupted", `ended by ${this.#signal}`);
  }

  end(): void {
    for (const stop of this.#stop) stop();
  }
}

/**
 * Write a file that is there only when it is complete: under another name first, then durable, then renamed.
 * Nothing remains of it if `write` fails or the program is told to end.
 */
export async function writeOutput<T>(
  context: ArtifactContext,
  path: string,
  write: (sink: Pick<FileHandle, "write">) => Promise<T>,
): Promise<T> {
  const { files, random } = context.system;
  const target = absolutePath(path);
  if ((await files.status(target))?.kind === "directory") {
    throw new ArtifactCommandError("EISDIR", `${path} is a directory`);
  }
  const unfinished = `${target}.${random.uuid().slice(0, 8)}.part`;
  const interruption = new Interruption(context);
  try {
    const handle = await files.open(unfinished, "exclusive", 0o644);
    let result: T;
    try {
      result = await write({
        write: (data, position) => {
          interruption.check();
          return handle.write(data, position);
        },
      });
      await handle.sync();
    } finally {
      await handle.close();
    }
    interruption.check();
    await files.rename(unfinished, target);
    await files.syncDirectory(dirname(target));
    return result;
  } catch (error) {
    await files.remove(unfinished);
    throw error;
  } finally {
    interruption.end();
  }
}
