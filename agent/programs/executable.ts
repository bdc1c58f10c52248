import { type Files, isSystemError, readChunks, type System, SystemError } from "@upkeep/shared/system";
import type { NoexecPrograms } from "../config/settings.ts";
import { type Program, type ProgramSpec, type ProgramSystem, startProgram } from "./program.ts";

/** The kernel reads this much of a file to find the interpreter. */
const FIRST_LINE_BYTES_MAX = 256;

/** The interpreter in the first line of a script, and its argument; `undefined` if the file is no script. */
async function interpreterOf(files: Files, path: string): Promise<readonly [string, ...string[]] | undefined> {
  const handle = await files.open(path, "read");
  try {
    for await (const chunk of readChunks(handle, FIRST_LINE_BYTES_MAX)) {
      const [firstLine = ""] = Buffer.from(chunk).toString("latin1").split("\n");
      const [, interpreter, argument] = /^#![ \t]*(\/[^ \t\0]*)[ \t]*(.*?)[ \t]*$/.exec(firstLine) ?? [];
      if (interpreter === undefined) return undefined;
      return argument ? [interpreter, argument] : [interpreter];
    }
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
      return await startProgram(system, { ...spec, command, args: [...args, spec.command, ...spec.args] });
    }
    throw new SystemError(
      "EACCES",
      `${error.message}, although it is executable: its file system may be mounted noexec (see the key NoexecPrograms)`,
      { cause: error },
    );
  }
}
