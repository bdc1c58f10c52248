import { resolve } from "node:path";
import { isSystemError, readTextFile, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

const PASSPHRASE_BYTES_MAX = 4096;

/**
 * The passphrase of the device's key: the first line of `file`, or of standard input if that is `-`.
 * @throws AgentError `passphrase-unreadable`.
 */
export async function readPassphrase(
  { files }: Pick<System, "files">,
  file: string | undefined,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const path = file === "-" ? "/dev/stdin" : resolve(file);
  const refuse = (why: string, cause?: unknown): AgentError =>
    new AgentError("passphrase-unreadable", `--passphrase-file: ${path} ${why}`, { cause });
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
