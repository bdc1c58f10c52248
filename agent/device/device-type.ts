import { type Files, isSystemError, readTextFile } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

const FILE_BYTES_MAX = 64 * 1024;

/**
 * The device type: the one line `device_type=VALUE` of `path`.
 * @throws AgentError `device-type-unknown` if the file is missing or holds anything else.
 */
export async function readDeviceType(files: Files, path: string): Promise<string> {
  let content: string | undefined;
  try {
    content = await readTextFile(files, path, FILE_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AgentError("device-type-unknown", `cannot read the device type: ${error.message}`, { cause: error });
  }
  if (content === undefined) {
    throw new AgentError("device-type-unknown", `${path} does not exist; it must hold the line device_type=…`);
  }
  const lines = content
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const value = /^device_type=(.+)$/.exec(lines[0] ?? "")?.[1];
  if (value !== undefined && lines.length === 1) return value;
  const shown = JSON.stringify(content.slice(0, 100));
  throw new AgentError("device-type-unknown", `${path} must hold the one line device_type=…, but holds ${shown}`);
}
