import { given } from "@upkeep/shared/given";
import type { ScenarioRun } from "../../control/index.ts";
import { parseCases, type Scenario } from "../file/index.ts";
import { storyLine } from "../report/story.ts";
import { runSimulated } from "./run.ts";
import { verdictsOf } from "./verdict.ts";

/** What a text is called in messages. */
const FILE = "scenario";

/**
 * The runs of a scenario file, in virtual time, told as they go on.
 * @throws ScenarioFileError
 */
export function readLive(text: string): ScenarioRun {
  const cases = parseCases(text, FILE);
  return async (tell, signal) => {
    for (const { scenario } of cases) {
      tell({ kind: "begins", scenario: scenario.scenario, why: scenario.why, expected: expectedOf(scenario) });
      const { outcome, verdicts, simulatedMs } = await runSimulated(
        scenario,
        { readArtifact: refuseFiles },
        {
          watch: (event) => {
            const line = storyLine(event);
            if (line === undefined) return;
            const { atMs, device, text: what, tone } = line;
            tell({ kind: "happens", at_ms: atMs, ...given({ device }), text: what, tone });
          },
          signal,
        },
      );
      tell({
        kind: "ends",
        outcome,
        simulated_ms: simulatedMs,
        verdicts: verdicts.map(({ expected, met, got }) => ({ expected, met, got })),
      });
    }
  };
}

/** What is expected, in words, before anything has happened. */
function expectedOf(scenario: Scenario): readonly string[] {
  const nothing = { events: [], devices: new Map(), deployments: new Map() };
  return verdictsOf(scenario, { startMs: scenario.starts, nowMs: 0, ...nothing }).map(({ expected }) => expected);
}

function refuseFiles(path: string): Promise<never> {
  return Promise.reject(new Error(`${path}: artifacts in files are for \`upkeep-server scenario run FILE\``));
}
