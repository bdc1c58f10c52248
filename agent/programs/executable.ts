import { type Files, isSystemError, readChunks, type System, SystemError } from "@upkeep/shared/system";
import type { NoexecPrograms } from "../config/settings.ts";
import { FIRST_LINE_BYTES_MAX, interpreterIn, missingInterpreter } from "../system/interpreter.ts";
import { type Program, type ProgramSpec, type ProgramSystem, startProgram } from "./program.ts";

/** The interpreter in the first line of a script, and its argument; `undefined` if the file is no script. */
async function interpreterOf(files: Files, path: string): Promise<readonly [string, ...string[]] | undefined> {
  const handle = await files.open(path, "read");
  try {
    for await (const chunk of readChunks(handle, FIRST_LINE_BYTES_MAX)) return interpreterIn(chunk);
    return undefined;
  } finally {
    await handle.close();
  }
}

/**
 * {@link startProgram} for an executable that may be on a file system that is mounted noexec. It is never skipped: it runs,
 * or the call rejects.
 */
export async function startExecutable(
  system: ProgramSystem & Pick<System, "files">,
  spec: ProgramSpec,
  noexec: NoexecPrograms,
): Promise<Program> {
  try {
    return await startProgram(system, spec);
  } catch (error) {
    if (!isSystemError(error, "EACCES") || !(await system.files.isExecutable(spec.command))) throw error;
    const interpreter = noexec === "interpreter" ? await interpreterOf(system.files, spec.command) : undefined;
    if (interpreter !== undefined) {
      const [command, ...args] = interpreter;
      try {
        return await startProgram(system, { ...spec, command, args: [...args, spec.command, ...spec.args] });
      } catch (cause) {
        if (!isSystemError(cause, "ENOENT")) throw cause;
        throw new SystemError("ENOENT", `cannot start ${spec.command}: ${missingInterpreter(command)}`, { cause });
      }
    }
    throw new SystemError(
      "EACCES",
      `${error.message}, although it is executable: its file system may be mounted noexec (see the key NoexecPrograms)`,
      { cause: error },
    );
  }
}
