import { expect, test } from "vitest";
import { findings, scenarioNames } from "../../scenarios/library.ts";

test.each(scenarioNames())(
  "%s goes as it expects",
  async (name) => {
    expect(await findings(name)).toEqual([]);
  },
  300_000,
);
