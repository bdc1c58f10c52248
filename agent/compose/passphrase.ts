import { isSystemError, readTextFile, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

const PASSPHRASE_BYTES_MAX = 4096;

/**
 * A passphrase: the first line of a file.
 * @param what The option, or the configuration's key, that names the file.
 * @throws AgentError `passphrase-unreadable`.
 */
export async function readPassphraseFile(
  { files }: Pick<System, "files">,
  what: string,
  path: string,
): Promise<string> {
  const refuse = (why: string, cause?: unknown): AgentError =>
    new AgentError("passphrase-unreadable", `${what}: ${path} ${why}`, { cause });
  let text: string | undefined;
  try {
    text = await readTextFile(files, path, PASSPHRASE_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw refuse(`cannot be read: ${error.message}`, error);
  }
  if (text === undefined) throw refuse("does not exist");
  const [line = ""] = text.split(/\r?\n/);
  if (line === "") throw refuse("begins with an empty line");
  return line;
}
