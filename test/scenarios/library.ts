import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseCases, parseScenario, type Scenario } from "../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../mock-server/scenarios/run/run.ts";
import type { PlantedBug } from "./planted-bugs.ts";

export const LIBRARY = import.meta.dirname;

/** All scenarios: their paths below {@link LIBRARY}, without `.yaml`. */
export function scenarioNames(): string[] {
  return readdirSync(LIBRARY, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".yaml"))
    .map((path) => path.slice(0, -".yaml".length))
    .sort();
}

/** @param name Its path, or the last part of that. */
export function scenarioNamed(name: string): Scenario {
  const file = fileNamed(name);
  return parseScenario(readFileSync(join(LIBRARY, file), "utf8"), file);
}

/** The runs of a scenario: several if it has a table. */
function casesNamed(name: string): readonly Scenario[] {
  const file = fileNamed(name);
  return parseCases(readFileSync(join(LIBRARY, file), "utf8"), file).map(({ scenario }) => scenario);
}

function fileNamed(name: string): string {
  const path = scenarioNames().find((one) => one === name || one.endsWith(`/${name}`));
  if (path === undefined) throw new Error(`there is no scenario ${name}`);
  return `${path}.yaml`;
}

export const readArtifact = async (path: string): Promise<Uint8Array> => readFileSync(join(LIBRARY, path));

/** What a scenario finds wrong: with a bug if one is planted, else with the true programs. Nothing if all is well. */
export async function findings(name: string, bug?: PlantedBug): Promise<string[]> {
  const parts = {
    readArtifact,
    ...(bug?.agent === undefined ? {} : { agent: bug.agent }),
    ...(bug?.server === undefined ? {} : { server: bug.server }),
  };
  try {
    const found: string[] = [];
    for (const scenario of casesNamed(name)) {
      const { verdicts } = await runSimulated(scenario, parts);
      found.push(...verdicts.filter(({ met }) => !met).map(({ expected, got }) => `expected ${expected}, got ${got}`));
    }
    return found;
  } catch (error) {
    if (bug === undefined) throw error;
    return [`the run itself fails: ${String(error)}`];
  }
}
