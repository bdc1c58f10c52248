import type { Files } from "@upkeep/shared/system";
import { explained, oneLine } from "../storage/index.ts";
import { CommandError } from "./failure.ts";

/**
 * Opens records.
 * @param what The file or the option that names them.
 * @param directory The directory of the file: SQLite does not tell why it cannot write there.
 * @throws CommandError in one line that begins with `what`, if they cannot be used.
 */
export async function openOrExplain<T>(what: string, open: () => Promise<T>, directory?: Place): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw await recordsFault(error, what, directory);
  }
}

interface Place {
  readonly files: Files;
  readonly path: string;
}

/** The error for an operator whose records cannot be opened, as {@link openOrExplain} throws it. */
export async function recordsFault(error: unknown, what: string, directory?: Place): Promise<CommandError> {
  if (error instanceof CommandError) return error;
  const unwritable = directory === undefined ? undefined : await writeFault(directory.files, directory.path);
  const reason =
    (unwritable === undefined ? undefined : explained(unwritable)) ??
    explained(error) ??
    (error instanceof Error ? oneLine(error.message) : String(error));
  return new CommandError(`${what}: cannot be used: ${reason}`);
}

/** The error of a write in the directory; `undefined` if it succeeds. */
async function writeFault(files: Files, directory: string): Promise<unknown> {
  const path = `${directory}/write-test`;
  try {
    const handle = await files.open(path, "write", 0o600);
    try {
      await handle.write(new Uint8Array(4096));
    } finally {
      await handle.close();
      await files.remove(path);
    }
    return undefined;
  } catch (error) {
    return error;
  }
}
