import { describe, expect, it } from "vitest";
import { STORE, World, type WorldOptions } from "../support/world.ts";

const YES = { SupportsRollback: "Yes" };
const script = (name: string) => ({ name, content: Buffer.from("#!/bin/sh\n") });

const PATHS: Readonly<Record<string, WorldOptions>> = {
  success: { behaviour: { answers: YES } },
  "success without a way back": {},
  "success with a reboot by the agent": { behaviour: { answers: { ...YES, NeedsArtifactReboot: "Automatic" } } },
  "success with a reboot by the module": {
    behaviour: { answers: { ...YES, NeedsArtifactReboot: "Yes" }, reboots: ["ArtifactReboot"] },
  },
  "a failed download": { behaviour: { fails: { Download: 1 } } },
  "a failed install, rolled back": { behaviour: { answers: YES, fails: { ArtifactInstall: 1 } } },
  "a failed install without a way back": { behaviour: { fails: { ArtifactInstall: 1 } } },
  "a failed commit, rolled back with a reboot": {
    behaviour: { answers: { ...YES, NeedsArtifactReboot: "Automatic" }, fails: { ArtifactCommit: 1 } },
  },
  "a failed rollback": { behaviour: { answers: YES, fails: { ArtifactInstall: 1, ArtifactRollback: 1 } } },
  "a failed script after the commit": {
    plan: { scripts: [script("ArtifactCommit_Leave_00"), script("ArtifactInstall_Enter_00")] },
    behaviour: { answers: YES, fails: { ArtifactCommit_Leave_00: 1 } },
  },
  "an empty payload": {
    plan: { kind: "bootstrap", artifactName: "new", deviceTypes: ["board"], provides: { "a.version": "1" } },
  },
  "an abort": { answer: (status) => (status === "installing" || status === "failure" ? "aborted" : "accepted") },
};

/** What must be true of a device and its server once a deployment has come to its end, whatever happened. */
function checkEnd(world: World, where: string): void {
  const name = world.provides.artifact_name ?? "old";
  expect(world.finals, `one final status, ${where}`).toHaveLength(1);
  if (world.finals[0] === "success") expect(name, where).toBe("new");
  else expect(["old", "new_INCONSISTENT"], where).toContain(name);
  if (!name.endsWith("_INCONSISTENT") && !world.isEmpty) expect(world.software, `what runs, ${where}`).toBe(name);
  expect(JSON.parse(world.files.text(STORE) ?? "{}").update, where).toBeNull();
  expect(
    world.files.below("/data").filter((path) => /\.new$|tree|scripts/.test(path)),
    `files left, ${where}`,
  ).toEqual([]);
}

describe("power that is cut before or after every step", () => {
  for (const [name, options] of Object.entries(PATHS)) {
    it(`leaves one final status that agrees with what is installed: ${name}`, async () => {
      const whole = new World(options);
      const { steps } = await whole.deploy();
      checkEnd(whole, "without a cut");
      expect(steps.length).toBeGreaterThan(20);
      for (let step = 1; step <= steps.length; step++) {
        for (const side of ["before", "after"] as const) {
          const world = new World(options);
          await world.deploy({ step, side });
          checkEnd(world, `cut ${side} step ${step}, ${steps[step - 1]}; ${world.trace.join(", ")}`);
        }
      }
    });
  }

  it("keeps a success a success in whatever clean-up and reporting it is interrupted", async () => {
    const options = PATHS.success ?? {};
    const { steps } = await new World(options).deploy();
    const settled = steps.findIndex(
      (step, index) =>
        step.startsWith("rename") &&
        steps.slice(0, index).includes("start ArtifactCommit") &&
        steps.slice(index).filter((later) => later.startsWith("rename")).length === 3,
    );
    expect(settled).toBeGreaterThan(0);
    for (let step = settled + 1; step <= steps.length; step++) {
      const world = new World(options);
      await world.deploy({ step, side: "after" });
      expect(world.finals, `cut after step ${step}, ${steps[step - 1]}`).toEqual(["success"]);
    }
  });

  it("ends a device that loses its power at every start, with a name for it", async () => {
    const options: WorldOptions = {
      behaviour: { answers: YES, reboots: ["ArtifactRollback"], fails: { ArtifactInstall: 1 } },
    };
    const world = new World(options);
    const result = await world.deploy();
    expect(result).toMatchObject({ status: "failure", device: "unknown" });
    expect(world.provides.artifact_name).toBe("new_INCONSISTENT");
    expect(world.logs.flat().map(({ message }) => message)).toContainEqual(
      expect.stringContaining("given up as a loop"),
    );
  });
});
