import { describe, expect, it } from "vitest";
import { type Behaviour, World, type WorldOptions } from "../support/world.ts";

const YES = { SupportsRollback: "Yes" };
const REBOOTS = { ...YES, NeedsArtifactReboot: "Yes" };
const ROLLBACK = ["SupportsRollback", "ArtifactRollback", "NeedsArtifactReboot"];
const ROLLBACK_REBOOT = [...ROLLBACK, "ArtifactRollbackReboot", "ArtifactVerifyRollbackReboot"];
const COMMIT = ["login", "> installing", "ArtifactCommit", "Cleanup", "> success"];
const FAILED = ["ArtifactFailure", "Cleanup", "> failure", "log"];

/** What the update module began on is cleaned up; then all goes its way. */
const DOWNLOADED_AGAIN = [
  "> downloading",
  "Cleanup",
  "ProvidePayloadFileSizes",
  "Download",
  "> installing",
  "ArtifactInstall",
  "NeedsArtifactReboot",
  ...COMMIT,
];

interface Case {
  /** The call, report or reboot in which the program is killed, and the how-manieth of its name. */
  readonly at: string;
  readonly nth?: number;
  readonly behaviour: Behaviour;
  readonly plan?: NonNullable<WorldOptions["plan"]>;
  readonly withdrawn?: true;
  /** What the next life does. */
  readonly next: readonly string[];
}

const failsToCommit: Behaviour = { answers: REBOOTS, fails: { ArtifactCommit: 1 } };

const CASES: readonly Case[] = [
  { at: "start Download", behaviour: { answers: YES }, next: DOWNLOADED_AGAIN },
  { at: "report installing", behaviour: { answers: YES }, next: DOWNLOADED_AGAIN },
  {
    at: "start Download",
    behaviour: { answers: YES },
    withdrawn: true,
    next: ["> downloading", "Cleanup", "> failure", "log"],
  },
  { at: "start ArtifactInstall", behaviour: { answers: YES }, next: [...ROLLBACK, ...FAILED] },
  { at: "start ArtifactInstall", behaviour: {}, next: ["SupportsRollback", ...FAILED] },
  { at: "start NeedsArtifactReboot", behaviour: { answers: YES }, next: [...ROLLBACK, ...FAILED] },
  { at: "start ArtifactReboot", behaviour: { answers: REBOOTS }, next: ["ArtifactVerifyReboot", ...COMMIT] },
  { at: "start ArtifactVerifyReboot", behaviour: { answers: REBOOTS }, next: [...ROLLBACK_REBOOT, ...FAILED] },
  { at: "login", behaviour: { answers: REBOOTS }, next: [...ROLLBACK_REBOOT, ...FAILED] },
  { at: "start ArtifactCommit", behaviour: { answers: YES }, next: [...ROLLBACK, ...FAILED] },
  {
    at: "start /data/scripts/ArtifactCommit_Leave_00",
    behaviour: { answers: YES },
    plan: { scripts: [{ name: "ArtifactCommit_Leave_00", content: Buffer.from("#!/bin/sh\n") }] },
    next: ["ArtifactCommit_Leave_00", "Cleanup", "> success"],
  },
  { at: "start Cleanup", behaviour: { answers: YES }, next: ["Cleanup", "> success"] },
  { at: "report success", behaviour: { answers: YES }, next: ["> success"] },
  {
    at: "start ArtifactRollback",
    behaviour: failsToCommit,
    next: [...ROLLBACK_REBOOT.slice(1), ...FAILED],
  },
  {
    at: "start NeedsArtifactReboot",
    nth: 2,
    behaviour: failsToCommit,
    next: [...ROLLBACK_REBOOT.slice(1), ...FAILED],
  },
  { at: "start ArtifactRollbackReboot", behaviour: failsToCommit, next: ["ArtifactVerifyRollbackReboot", ...FAILED] },
  {
    at: "start ArtifactVerifyRollbackReboot",
    behaviour: failsToCommit,
    next: ["ArtifactVerifyRollbackReboot", ...FAILED],
  },
  { at: "start ArtifactFailure", behaviour: failsToCommit, next: FAILED },
  { at: "report failure", behaviour: failsToCommit, next: ["> failure", "log"] },
  { at: "log", behaviour: failsToCommit, next: ["> failure", "log"] },
];

describe("a program that is killed and started again", () => {
  for (const { at, nth = 1, next, ...options } of CASES) {
    const way = options.behaviour.answers?.SupportsRollback === undefined ? ", without a way back" : "";
    const gone = options.withdrawn ? ", of a deployment that is withdrawn meanwhile" : "";
    it(`goes on from the journal: killed in ${at}, number ${nth}${way}${gone}`, async () => {
      const { steps } = await new World(options).deploy();
      const places = steps.flatMap((step, index) => (step === at ? [index + 1] : []));
      const step = places[nth - 1];
      if (step === undefined) throw new Error(`there is no ${at} number ${nth} in ${steps.join(", ")}`);
      const world = new World(options);
      const trace = await traceAfter(world, step);
      expect(trace).toEqual(next);
      expect(world.finals).toHaveLength(1);
    });
  }
});

/** What happens after the program was killed right after a step. */
async function traceAfter(world: World, step: number): Promise<string[]> {
  let before = 0;
  await world.deploy({ step, side: "after" }, () => {
    before = world.trace.length;
  });
  return world.trace.slice(before);
}
