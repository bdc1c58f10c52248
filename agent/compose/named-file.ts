import { isSystemError, readFile } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { AgentContext } from "./context.ts";

const FILE_BYTES_MAX = 1024 * 1024;

/**
 * A file that the configuration names.
 * @param key The configuration's key, or the option, that names it.
 * @throws AgentError `config-unreadable`, naming key and file.
 */
export async function readNamedFile(
  { system }: Pick<AgentContext, "system">,
  key: string,
  path: string,
): Promise<Buffer> {
  const refuse = (why: string, cause?: unknown): AgentError =>
    new AgentError("config-unreadable", `${key}: ${path} ${why}`, { cause });
  let content: Buffer | undefined;
  try {
    content = await readFile(system.files, path, FILE_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw refuse(`cannot be read: ${error.message}`, error);
  }
  if (content === undefined) throw refuse("does not exist");
  if (content.length === 0) throw refuse("is empty");
  return content;
}
