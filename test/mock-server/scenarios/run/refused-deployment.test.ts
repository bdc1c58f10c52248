import { expect, test } from "vitest";
import { parseScenario } from "../../../../mock-server/scenarios/index.ts";
import { storyOf } from "../../../../mock-server/scenarios/report/story.ts";
import { runSimulated } from "../../../../mock-server/scenarios/run/run.ts";

const NO_FILES = { readArtifact: () => Promise.reject(new Error("no artifact is read")) };
/** One device cannot be in two phases, and the server says so. */
const PHASES = "phases: [{ batch: 50 }, { start: 1h }]";

const run = (deployments: string, more = "") =>
  runSimulated(
    parseScenario(
      `
scenario: A deployment that the server does not take
why: To see that it is told.
fleet: [{ name: d }]
releases: [{ name: v2 }]
deployments: [${deployments}]
${more}
expect: [{ device: d, runs: v2 }]
`,
      "s.yaml",
    ),
    NO_FILES,
  );

test("a deployment that the server refuses fails the scenario, which says so and goes on", async () => {
  const { outcome, verdicts, events } = await run(
    `{ name: first, release: v2, to: [d], at: 2m, ${PHASES} }, { name: second, release: v2, to: [d], at: 1h }`,
  );
  expect(outcome).toBe("failed");
  expect(verdicts).toEqual([
    {
      expected: "deployment first is created",
      met: false,
      got: expect.stringMatching(/^deployment first could not be created: .+zero devices.+/),
      atMs: 120_000,
    },
    expect.objectContaining({ expected: "d runs v2 at the end", met: true }),
  ]);
  expect(storyOf(events)).toContainEqual({ atMs: 120_000, text: verdicts[0]?.got, tone: "bad" });
});

test("nobody waits for a deployment that was refused, and what is done to it is refused too", async () => {
  const { outcome, events, simulatedMs } = await run(
    `{ name: first, release: v2, to: [d], ${PHASES} }`,
    "timeline: [{ at: 10m, do: { abort: first } }]\nends: { at_most: 30d }",
  );
  expect(outcome).toBe("failed");
  expect(simulatedMs).toBeLessThan(86_400_000);
  expect(events).toContainEqual({
    kind: "action",
    what: "refused: the deployment first does not exist yet",
    atMs: 600_000,
  });
});
