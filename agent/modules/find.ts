import { type Files, isSystemError } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

/**
 * The update module for a payload type.
 * @throws AgentError `payload-type-invalid`, `module-missing` or `module-not-executable`.
 */
export async function findModule(files: Files, directory: string, payloadType: string): Promise<string> {
  if (!/^[^/\0]+$/.test(payloadType) || payloadType === "." || payloadType === "..") {
    throw new AgentError(
      "payload-type-invalid",
      `payload type ${JSON.stringify(payloadType)} cannot name an update module`,
    );
  }
  const path = `${directory}/${payloadType}`;
  const status = await files.status(path);
  if (status?.kind !== "file") {
    throw new AgentError(
      "module-missing",
      `there is no update module for payload type ${JSON.stringify(payloadType)} in ${directory}; installed are: ${await installed(files, directory)}`,
    );
  }
  if (!(await files.isExecutable(path))) {
    throw new AgentError("module-not-executable", `the update module ${path} is not executable`);
  }
  return path;
}

async function installed(files: Files, directory: string): Promise<string> {
  try {
    const names = (await files.list(directory)).map(({ name }) => name);
    return names.length === 0 ? "none" : names.join(", ");
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return "none, as there is no such directory";
    throw error;
  }
}
