import { isSystemError, type System } from "@upkeep/shared/system";
import { absolutePath } from "../system/environment.ts";
import { CommandError } from "./failure.ts";

/**
 * Write a text that the command line asked for to a file, or to whatever else the path leads to.
 * @param option Name of the option that has the path, without the dashes.
 * @throws CommandError that names the option and the path if it cannot be written.
 */
export async function writeText(files: System["files"], option: string, path: string, text: string): Promise<void> {
  if (path === "-") throw new CommandError(`--${option} -: give the path of a file; ./- is one of that name`);
  try {
    const handle = await files.open(absolutePath(path), "write", 0o644);
    try {
      await handle.write(Buffer.from(text));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new CommandError(`--${option} ${path}: cannot be written: ${error.message}`);
  }
}
