import { type Files, isSystemError, readTextFile } from "@upkeep/shared/system";
import { absolutePath } from "../system/environment.ts";
import { isTerminalInput, promptForPassword, readStandardInput } from "../system/password-input.ts";
import { CommandError } from "./failure.ts";

const FILE_BYTES_MAX = 64 * 1024;
const STANDARD_INPUT = "-";

/** The first line of a file. @param option Its name without the dashes. @throws CommandError */
export async function passwordFromFile(files: Files, option: string, path: string): Promise<string> {
  let text: string | undefined;
  try {
    text =
      path === STANDARD_INPUT
        ? await readStandardInput(FILE_BYTES_MAX)
        : await readTextFile(files, absolutePath(path), FILE_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new CommandError(`--${option} ${path}: cannot be read: ${error.message}`);
  }
  if (text === undefined) throw new CommandError(`--${option} ${path}: there is no such file`);
  const [line = ""] = text.split(/\r?\n/, 1);
  if (line === "") throw new CommandError(`--${option} ${path}: the first line, which is the password, is empty`);
  return line;
}

/**
 * A new password: of a file, of a person at a terminal, who types it twice, or of standard input.
 * @param file What `--password-file` says, if it says anything.
 * @throws CommandError
 */
export async function askedPassword(files: Files, file: unknown, question: string): Promise<string> {
  if (typeof file === "string") return await passwordFromFile(files, "password-file", file);
  if (!isTerminalInput()) return await passwordFromFile(files, "password-file", STANDARD_INPUT);
  const password = await prompted(question);
  const again = await prompted("Once more: ");
  if (password !== again) throw new CommandError("the two passwords are not the same; nothing was changed");
  return password;
}

/** Asks the person at the terminal. @throws CommandError if the person gives up. */
export async function prompted(question: string): Promise<string> {
  try {
    return await promptForPassword(question);
  } catch (error) {
    if (isSystemError(error, "EINTR")) throw new CommandError(error.message);
    throw error;
  }
}
