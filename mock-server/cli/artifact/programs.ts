import { isSystemError } from "@upkeep/shared/system";
import { absolutePath } from "../../system/environment.ts";
import { type ProgramEnd, type ProgramSpec, runToEnd } from "../../system/program.ts";
import { ArtifactCommandError, type ArtifactContext } from "./run.ts";

/** What a program wrote; `error` also says if a signal ended it. */
export interface ProgramResult extends Pick<ProgramEnd, "out" | "error"> {
  /** The exit code is 0. */
  readonly succeeded: boolean;
}

/**
 * Runs another program to its end.
 * @param debianPackage The package that has it.
 * @throws ArtifactCommandError if it is not installed, or was told to end.
 */
export async function runProgram(debianPackage: string, spec: ProgramSpec): Promise<ProgramResult> {
  const { command } = spec;
  let ended: ProgramEnd;
  try {
    ended = await runToEnd(spec);
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    const message =
      cause.code === "ENOENT"
        ? `the program ${command} is needed and not installed; Debian has it in the package ${debianPackage}`
        : `the program ${command} cannot be started: ${cause.message}`;
    throw new ArtifactCommandError(cause.code, message, undefined, { cause });
  }
  const { how, out, error } = ended;
  if (how === "SIGINT" || how === "SIGTERM") {
    throw new ArtifactCommandError("interrupted", `${command} was ended by ${how}`);
  }
  return {
    succeeded: how === "code 0",
    out,
    error: how.startsWith("code ") ? error : `${error}\nit was ended by ${how}`,
  };
}

/**
 * A directory of this program alone, removed afterwards.
 * @param parent The system's directory for temporary files if not given.
 */
export async function withTemporaryDirectory<T>(
  { system, temporaryDirectory }: ArtifactContext,
  parent: string | undefined,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = `${absolutePath(parent ?? temporaryDirectory)}/upkeep-artifact-${system.random.uuid()}`;
  await system.files.makeDirectory(directory, 0o700);
  try {
    return await use(directory);
  } finally {
    await system.files.remove(directory);
  }
}
