import { type Files, isSystemError } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

/**
 * The update module for a payload type, in the first of the directories that has one.
 * @throws AgentError `payload-type-invalid`, `module-missing` or `module-not-executable`.
 */
export async function findModule(
  files: Files,
  directories: string | readonly string[],
  payloadType: string,
): Promise<string> {
  if (!/^[^/\0]+$/.test(payloadType) || payloadType === "." || payloadType === "..") {
    throw new AgentError(
      "payload-type-invalid",
      `payload type ${JSON.stringify(payloadType)} cannot name an update module`,
    );
  }
  const places = [directories].flat();
  for (const directory of places) {
    const path = `${directory}/${payloadType}`;
    if ((await files.status(path))?.kind !== "file") continue;
    if (await files.isExecutable(path)) return path;
    throw new AgentError("module-not-executable", `the update module ${path} is not executable`);
  }
  const names = await Promise.all(places.map((place) => installed(files, place)));
  const found = [...new Set(names.flat())].sort();
  throw new AgentError(
    "module-missing",
    `there is no update module for payload type ${JSON.stringify(payloadType)} in ${places.join(" or ")}; installed are: ${found.length === 0 ? "none" : found.join(", ")}`,
  );
}

/** Names in a directory; a missing one is empty. */
async function installed(files: Files, directory: string): Promise<string[]> {
  try {
    return (await files.list(directory)).map(({ name }) => name);
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}
