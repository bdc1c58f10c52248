import { describe, expect, it } from "vitest";
import { OFFLINE, World, type WorldOptions } from "../support/world.ts";

const script = (name: string) => ({ name, content: Buffer.from("#!/bin/sh\n") });
const SCRIPTS = ["ArtifactInstall_Enter_00", "ArtifactInstall_Leave_00", "ArtifactInstall_Error_00"].map(script);
const YES = { SupportsRollback: "Yes" };

/** The server aborts when it is asked for the n-th time with this status. */
function abortedAt(status: string, nth: number): NonNullable<WorldOptions["answer"]> {
  return (asked, count) => ((asked === status && count >= nth) || asked === "failure" ? "aborted" : "accepted");
}

describe("a deployment that is aborted", () => {
  it("in the middle of the download stops at once: clean-up, no scripts of failure, no reboot", async () => {
    const world = new World({
      behaviour: { answers: YES, hangs: ["Download"] },
      plan: { scripts: SCRIPTS },
      answer: abortedAt("downloading", 3),
    });
    const before = world.time.monotonic();
    expect(await world.deploy()).toMatchObject({ status: "failure", reported: "aborted", device: "old" });
    expect(world.time.monotonic() - before).toBe(120_000);
    expect(world.trace).toEqual([
      ...["> downloading", "ProvidePayloadFileSizes", "Download", "> downloading", "> downloading", "Cleanup"],
      "> failure",
    ]);
    expect(world.files.below("/data").filter((path) => /tree|scripts/.test(path))).toEqual([]);
  });

  it("in the middle of the install ends it, and goes back", async () => {
    const world = new World({
      behaviour: { answers: YES, hangs: ["ArtifactInstall"] },
      plan: { scripts: SCRIPTS },
      answer: abortedAt("installing", 2),
    });
    expect(await world.deploy()).toMatchObject({ status: "failure", reported: "aborted", device: "old" });
    expect(world.trace.slice(3)).toEqual([
      ...["> installing", "ArtifactInstall_Enter_00", "ArtifactInstall", "> installing", "SupportsRollback"],
      ...["ArtifactRollback", "NeedsArtifactReboot", "ArtifactFailure", "Cleanup", "> failure"],
    ]);
    expect(world.software).toBe("old");
  });

  it("in the middle of a script ends that too", async () => {
    const world = new World({
      behaviour: { answers: YES, hangs: ["ArtifactInstall_Enter_00"] },
      plan: { scripts: SCRIPTS },
      answer: abortedAt("installing", 2),
    });
    await world.deploy();
    expect(world.calls).not.toContain("ArtifactInstall");
    expect(world.calls).not.toContain("ArtifactInstall_Error_00");
  });

  it("is not noticed before the next status where the agent is told not to ask", async () => {
    const world = new World({
      behaviour: { hangs: ["Download"] },
      settings: { abortCheckMs: 0, moduleTimeoutMs: 3600_000 },
      answer: abortedAt("downloading", 2),
    });
    await world.deploy();
    expect(world.statuses).toEqual(["downloading", "failure"]);
  });
});

describe("asking whether a deployment was aborted", () => {
  it("disturbs nothing: answers that fail are not heeded, and a quick state is not asked about", async () => {
    const slow = new World({
      behaviour: { hangs: ["Download"] },
      settings: { moduleTimeoutMs: 300_000, killGraceMs: 10 },
      answer: (status, nth) => (status === "downloading" && nth > 1 ? OFFLINE : "accepted"),
    });
    expect(await slow.deploy()).toMatchObject({
      failure: "update module recorder did not end within 300 s and was killed in Download",
    });
    expect(slow.statuses.filter((status) => status === "downloading").length).toBeGreaterThan(3);
    const quick = new World();
    await quick.deploy();
    expect(quick.statuses).toEqual(["downloading", "installing", "installing", "success"]);
  });
});
