import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseScenario } from "../../mock-server/scenarios/index.ts";
import { runSimulated } from "../../mock-server/scenarios/run/run.ts";
import { readArtifact } from "../scenarios/library.ts";

const README = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");

test("the README's scenario goes as it expects", async () => {
  const [, text = ""] = /```yaml\n(.*?)```/s.exec(README) ?? [];
  const { verdicts } = await runSimulated(parseScenario(text, "README.md"), { readArtifact });
  expect(verdicts.filter(({ met }) => !met)).toEqual([]);
  expect(verdicts.length).toBeGreaterThanOrEqual(4);
});
