import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseScenario } from "../../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../../mock-server/scenarios/run/run.ts";

const DIRECTORY = join(import.meta.dirname, "../../scenarios");
const files = readdirSync(DIRECTORY).filter((name) => name.endsWith(".yaml"));
const readArtifact = async (path: string): Promise<Uint8Array> => readFileSync(join(DIRECTORY, path));

test.each(files)("%s goes as it expects", async (name) => {
  const scenario = parseScenario(readFileSync(join(DIRECTORY, name), "utf8"), name);
  const { verdicts } = await runSimulated(scenario, { readArtifact });
  expect(verdicts.filter(({ met }) => !met)).toEqual([]);
});
