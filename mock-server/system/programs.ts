import { existsSync, mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

/** The program that runs this one, and the file that it runs. */
export function thisProgram(): readonly [interpreter: string, file: string] {
  return [process.execPath, realpathSync(process.argv[1] ?? "")];
}

/** Where the agent's program lies beside this one: in the source tree, or as npm installs them. */
export function agentBeside(file: string): string | undefined {
  const directory = dirname(file);
  const places = ["../../agent/bin/upkeep.cjs", "../../upkeep/bin/upkeep.cjs", "../node_modules/upkeep/bin/upkeep.cjs"];
  return places.map((place) => join(directory, place)).find((place) => existsSync(place));
}

/** The command line of the agent beside this program, or of the one in PATH. */
export function agentCommand(file: string): readonly [command: string, ...args: string[]] | undefined {
  const beside = agentBeside(file);
  if (beside !== undefined) return [process.execPath, beside];
  const directories = (process.env.PATH ?? "").split(delimiter).filter((directory) => directory !== "");
  return directories
    .map((directory) => join(directory, "upkeep"))
    .filter((path) => existsSync(path))
    .map((path) => [path] as const)[0];
}

/** A new directory for what is not kept. */
export function temporaryDirectory(prefix: string): string {
  return mkdtempSync(join(tmpdir(), prefix));
}
