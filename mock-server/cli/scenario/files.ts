import { type Files, isSystemError, readFile, readTextFile } from "@upkeep/shared/system";
import type { ParameterValues, Scenario } from "../../scenarios/index.ts";
import { absolutePath } from "../../system/environment.ts";
import { CommandError } from "../failure.ts";

const SCENARIO_BYTES_MAX = 4 * 1024 * 1024;
const ARTIFACT_BYTES_MAX = 1024 ** 3;

/** A scenario and the file that it is in, as the command line names it. */
export interface LoadedScenario {
  readonly file: string;
  readonly text: string;
  readonly scenario: Scenario;
}

const isScenario = (name: string): boolean => /\.ya?ml$/.test(name);

/** All scenarios in a directory and below, in the order of their names. */
async function filesBelow(files: Files, directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name, kind } of await files.list(absolutePath(directory))) {
    const path = `${directory}/${name}`;
    if (kind === "directory") found.push(...(await filesBelow(files, path)));
    else if (isScenario(name)) found.push(path);
  }
  return found;
}

/** The files that paths name: themselves, and of directories all that end in `.yaml`. */
async function filesIn(files: Files, path: string): Promise<string[]> {
  const status = await files.status(absolutePath(path));
  if (status === undefined) throw new CommandError(`${path}: there is no such file`);
  if (status.kind !== "directory") return [path];
  const found = await filesBelow(files, path.replace(/\/+$/, ""));
  if (found.length === 0) throw new CommandError(`${path}: there is no scenario (.yaml) in this directory`);
  return found;
}

/**
 * Read the scenarios that paths name: one for each row of the table of a file that has one.
 * @param given Values of parameters.
 * @throws CommandError that tells every fault of every file, with line and column.
 */
export async function loadScenarios(
  files: Files,
  paths: readonly string[],
  given: ParameterValues = {},
): Promise<LoadedScenario[]> {
  const { parseCases, ScenarioFileError, withValues } = await import("../../scenarios/index.ts");
  const loaded: LoadedScenario[] = [];
  const faults: string[] = [];
  for (const path of paths)
    for (const file of await filesIn(files, path)) {
      try {
        const text = await readTextFile(files, absolutePath(file), SCENARIO_BYTES_MAX);
        if (text === undefined) throw new CommandError(`${file}: there is no such file`);
        for (const { scenario, values } of parseCases(text, file, given))
          loaded.push({ file, text: Object.keys(values).length === 0 ? text : withValues(text, values), scenario });
      } catch (error) {
        if (error instanceof ScenarioFileError) faults.push(error.message);
        else if (isSystemError(error)) faults.push(`${file}: cannot be read: ${error.message}`);
        else throw error;
      }
    }
  const unknown = Object.keys(given).find((name) =>
    loaded.every(({ scenario }) => !(name in (scenario.parameters ?? {}))),
  );
  if (faults.length === 0 && unknown !== undefined) {
    const names = [...new Set(loaded.flatMap(({ scenario }) => Object.keys(scenario.parameters ?? {})))];
    throw new CommandError(
      `--set ${unknown}: no scenario has this parameter; ${names.length === 0 ? "there is none" : `there are ${names.join(", ")}`}`,
    );
  }
  if (faults.length > 0) throw new CommandError(`these scenarios cannot be used\n${faults.join("\n")}`);
  return loaded;
}

/** Reads artifacts that a scenario names, relative to its own file. */
export function artifactReader(files: Files, scenarioFile: string): (path: string) => Promise<Uint8Array> {
  const directory = absolutePath(`${absolutePath(scenarioFile)}/..`);
  return async (path) => {
    const found = path.startsWith("/") ? path : absolutePath(`${directory}/${path}`);
    const content = await readFile(files, found, ARTIFACT_BYTES_MAX);
    if (content === undefined) throw new CommandError(`${scenarioFile}: the artifact ${path} does not exist`);
    return content;
  };
}
