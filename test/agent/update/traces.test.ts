import { describe, expect, it } from "vitest";
import { type Behaviour, OFFLINE, World, type WorldOptions } from "../support/world.ts";

const ROLLS_BACK = { SupportsRollback: "Yes\n" };
const DOWNLOAD = ["> downloading", "ProvidePayloadFileSizes", "Download"];
const INSTALL = [...DOWNLOAD, "> installing", "ArtifactInstall"];
const NO_REBOOT = [...INSTALL, "NeedsArtifactReboot"];
const COMMITTING = ["login", "> installing", "ArtifactCommit"];
const FAILED = ["Cleanup", "> failure", "log"];
const ROLLED_BACK = ["SupportsRollback", "ArtifactRollback", "NeedsArtifactReboot", "ArtifactFailure", ...FAILED];
const NOT_ROLLED_BACK = ["SupportsRollback", "ArtifactFailure", ...FAILED];

interface Case extends WorldOptions {
  readonly name: string;
  readonly trace: readonly string[];
  readonly artifact: "old" | "new" | "inconsistent";
}

const rolling = (behaviour: Behaviour): Behaviour => ({
  ...behaviour,
  answers: { ...ROLLS_BACK, ...behaviour.answers },
});

const CASES: readonly Case[] = [
  { name: "success", trace: [...NO_REBOOT, ...COMMITTING, "Cleanup", "> success"], artifact: "new" },
  {
    name: "success with sizes asked for",
    behaviour: { answers: { ProvidePayloadFileSizes: "Yes\n", NeedsArtifactReboot: "No\n" } },
    trace: [
      ...["> downloading", "ProvidePayloadFileSizes", "DownloadWithFileSizes", "> installing", "ArtifactInstall"],
      ...["NeedsArtifactReboot", ...COMMITTING, "Cleanup", "> success"],
    ],
    artifact: "new",
  },
  {
    name: "a reboot by the module",
    behaviour: { answers: { NeedsArtifactReboot: "Yes\n" }, reboots: ["ArtifactReboot"] },
    trace: [
      ...[...NO_REBOOT, "> rebooting", "ArtifactReboot", "reboot", "ArtifactVerifyReboot"],
      ...[...COMMITTING, "Cleanup", "> success"],
    ],
    artifact: "new",
  },
  {
    name: "a reboot by the module that is not one of the machine",
    behaviour: { answers: { NeedsArtifactReboot: "Yes\n" } },
    trace: [
      ...[...NO_REBOOT, "> rebooting", "ArtifactReboot", "ArtifactVerifyReboot", ...COMMITTING, "Cleanup"],
      "> success",
    ],
    artifact: "new",
  },
  {
    name: "a reboot by the agent",
    behaviour: { answers: { NeedsArtifactReboot: "Automatic\n" } },
    trace: [...[...NO_REBOOT, "> rebooting", "reboot", "ArtifactVerifyReboot", ...COMMITTING, "Cleanup", "> success"]],
    artifact: "new",
  },
  {
    name: "a download that fails",
    behaviour: { fails: { Download: 1 } },
    trace: [...DOWNLOAD, ...FAILED],
    artifact: "old",
  },
  {
    name: "an install that fails, without rollback",
    behaviour: { fails: { ArtifactInstall: 1 } },
    trace: [...INSTALL, ...NOT_ROLLED_BACK],
    artifact: "inconsistent",
  },
  {
    name: "an install that fails, with rollback",
    behaviour: rolling({ fails: { ArtifactInstall: 1 } }),
    trace: [...INSTALL, ...ROLLED_BACK],
    artifact: "old",
  },
  {
    name: "an install that fails, with a rollback that needs a reboot",
    behaviour: rolling({ answers: { NeedsArtifactReboot: "Automatic" }, fails: { ArtifactInstall: 1 } }),
    trace: [
      ...[...INSTALL, "SupportsRollback", "ArtifactRollback", "NeedsArtifactReboot", "reboot"],
      ...["ArtifactVerifyRollbackReboot", "ArtifactFailure", ...FAILED],
    ],
    artifact: "old",
  },
  {
    name: "a rollback that fails",
    behaviour: rolling({ fails: { ArtifactInstall: 1, ArtifactRollback: 1 } }),
    trace: [...INSTALL, "SupportsRollback", "ArtifactRollback", "ArtifactFailure", ...FAILED],
    artifact: "inconsistent",
  },
  {
    name: "a question about reboots that is answered with nonsense",
    behaviour: rolling({ answers: { NeedsArtifactReboot: "Perhaps\n" } }),
    trace: [...NO_REBOOT, "SupportsRollback", "ArtifactRollback", "NeedsArtifactReboot", "ArtifactFailure", ...FAILED],
    artifact: "inconsistent",
  },
  {
    name: "a question about rollback that fails",
    behaviour: { fails: { ArtifactInstall: 1, SupportsRollback: 1 } },
    trace: [...INSTALL, ...NOT_ROLLED_BACK],
    artifact: "inconsistent",
  },
  {
    name: "a reboot that fails",
    behaviour: rolling({ answers: { NeedsArtifactReboot: "Yes" }, fails: { ArtifactReboot: 1 } }),
    trace: [
      ...[...NO_REBOOT, "> rebooting", "ArtifactReboot", "SupportsRollback", "ArtifactRollback", "NeedsArtifactReboot"],
      ...["ArtifactRollbackReboot", "ArtifactVerifyRollbackReboot", "ArtifactFailure", ...FAILED],
    ],
    artifact: "old",
  },
  {
    name: "a reboot that led elsewhere",
    behaviour: rolling({ answers: { NeedsArtifactReboot: "Automatic" }, fails: { ArtifactVerifyReboot: 1 } }),
    trace: [
      ...[...NO_REBOOT, "> rebooting", "reboot", "ArtifactVerifyReboot", "SupportsRollback", "ArtifactRollback"],
      ...["NeedsArtifactReboot", "reboot", "ArtifactVerifyRollbackReboot", "ArtifactFailure", ...FAILED],
    ],
    artifact: "old",
  },
  {
    name: "a rollback whose reboot must be repeated",
    behaviour: rolling({
      answers: { NeedsArtifactReboot: "Yes" },
      fails: { ArtifactReboot: 1, ArtifactVerifyRollbackReboot: { code: 1, times: 2 } },
    }),
    trace: [
      ...[...NO_REBOOT, "> rebooting", "ArtifactReboot", "SupportsRollback", "ArtifactRollback", "NeedsArtifactReboot"],
      ...["ArtifactRollbackReboot", "ArtifactVerifyRollbackReboot"],
      ...["ArtifactRollbackReboot", "ArtifactVerifyRollbackReboot"],
      ...["ArtifactRollbackReboot", "ArtifactVerifyRollbackReboot", "ArtifactFailure", ...FAILED],
    ],
    artifact: "old",
  },
  {
    name: "a commit that fails",
    behaviour: rolling({ fails: { ArtifactCommit: 1 } }),
    trace: [...NO_REBOOT, ...COMMITTING, ...ROLLED_BACK],
    artifact: "old",
  },
  {
    name: "a failure that cannot be tidied up",
    behaviour: rolling({ fails: { ArtifactInstall: 1, ArtifactFailure: 1 } }),
    trace: [...INSTALL, ...ROLLED_BACK],
    artifact: "inconsistent",
  },
  {
    name: "a clean-up that fails after the outcome is settled",
    behaviour: { fails: { Cleanup: 1 } },
    trace: [...NO_REBOOT, ...COMMITTING, "Cleanup", "> success"],
    artifact: "new",
  },
  {
    name: "a server that is away until the commit is due, and stays away",
    behaviour: rolling({}),
    answer: (status, nth) => (status === "failure" || (status === "installing" && nth === 1) ? "accepted" : OFFLINE),
    settings: { commitTimeoutMs: 120_000 },
    trace: [
      ...NO_REBOOT,
      // After 0, 2, 7, 17, 37, 97 and 120 s.
      ...Array.from({ length: 7 }, () => ["login", "> installing"]).flat(),
      ...ROLLED_BACK,
    ],
    artifact: "old",
  },
  {
    name: "a device that cannot log in any more",
    behaviour: rolling({}),
    login: () => OFFLINE,
    settings: { commitTimeoutMs: 60_000 },
    trace: [...NO_REBOOT, ...Array.from({ length: 6 }, () => "login"), ...ROLLED_BACK],
    artifact: "old",
  },
  {
    name: "an abort at downloading",
    answer: (status) => (status === "downloading" || status === "failure" ? "aborted" : "accepted"),
    trace: ["> downloading", "> failure"],
    artifact: "old",
  },
  {
    name: "an abort at installing",
    answer: (status) => (status === "installing" || status === "failure" ? "aborted" : "accepted"),
    trace: [...DOWNLOAD, "> installing", "Cleanup", "> failure"],
    artifact: "old",
  },
  {
    name: "an abort at rebooting",
    behaviour: rolling({ answers: { NeedsArtifactReboot: "Automatic" } }),
    answer: (status) => (status === "rebooting" || status === "failure" ? "aborted" : "accepted"),
    trace: [
      ...[...NO_REBOOT, "> rebooting", "SupportsRollback", "ArtifactRollback", "NeedsArtifactReboot", "reboot"],
      ...["ArtifactVerifyRollbackReboot", "ArtifactFailure", "Cleanup", "> failure"],
    ],
    artifact: "old",
  },
  {
    name: "an abort before the commit",
    behaviour: rolling({}),
    answer: (status, nth) => ((status === "installing" && nth === 2) || status === "failure" ? "aborted" : "accepted"),
    trace: [
      ...[...NO_REBOOT, "login", "> installing", "SupportsRollback", "ArtifactRollback", "NeedsArtifactReboot"],
      ...["ArtifactFailure", "Cleanup", "> failure"],
    ],
    artifact: "old",
  },
  {
    name: "an empty payload",
    plan: { kind: "bootstrap", artifactName: "new", deviceTypes: ["board"], provides: { "rootfs-image.version": "7" } },
    trace: ["> downloading", "> success"],
    artifact: "new",
  },
  {
    name: "reports that nobody takes until the end",
    answer: (status, nth) =>
      status === "success" && nth > 2 ? "accepted" : status === "installing" ? "accepted" : OFFLINE,
    trace: [...NO_REBOOT, ...COMMITTING, "Cleanup", "> success", "> success", "> success"],
    artifact: "new",
  },
  {
    name: "a log that is taken at the second try",
    behaviour: { fails: { Download: 1 } },
    answerLog: (nth) => (nth === 1 ? OFFLINE : "accepted"),
    trace: [...DOWNLOAD, ...FAILED, "> failure", "log"],
    artifact: "old",
  },
];

const INSTALLED = { old: undefined, new: "new", inconsistent: "new_INCONSISTENT" };

describe("a deployment", () => {
  for (const { name, trace, artifact, ...options } of CASES) {
    it(`takes the way of the table for ${name}`, async () => {
      const world = new World(options);
      const result = await world.deploy();
      expect(world.trace).toEqual(trace);
      expect(world.provides.artifact_name).toBe(INSTALLED[artifact]);
      expect(result).toMatchObject({ kind: "finished", status: world.finals[0] });
      expect(JSON.parse(world.files.text("/data/upkeep-store.json") ?? "").update).toBeNull();
      expect(world.files.below("/data").filter((path) => /tree|scripts|\.new$/.test(path))).toEqual([]);
    });
  }

  it("stores provides and clears at the commit, together with the name", async () => {
    const world = new World({ plan: { provides: { "app.colour": "blue" }, softwareVersion: "2" } });
    world.files.put(
      "/data/upkeep-store.json",
      JSON.stringify({
        version: 1,
        provides: { artifact_name: "old", "rootfs-image.recorder.version": "1", "kept.version": "5" },
        update: null,
      }),
    );
    await world.deploy();
    expect(world.provides).toEqual({
      artifact_name: "new",
      "app.colour": "blue",
      "kept.version": "5",
      "rootfs-image.recorder.version": "2",
    });
  });

  it("is given up, after a number of reboots, when the rollback's reboot never leads back", async () => {
    const world = new World({
      behaviour: rolling({
        answers: { NeedsArtifactReboot: "Automatic" },
        fails: { ArtifactVerifyReboot: 1, ArtifactVerifyRollbackReboot: 1 },
      }),
    });
    const result = await world.deploy();
    expect(result).toMatchObject({ status: "failure", device: "unknown", reported: "accepted" });
    expect(world.provides.artifact_name).toBe("new_INCONSISTENT");
    expect(world.finals).toEqual(["failure"]);
    expect(result).toHaveProperty("failure", "update module recorder exited with code 1 in ArtifactVerifyReboot");
    expect(world.logs[0]?.map(({ message }) => message)).toContain(
      "ArtifactRollbackReboot: what ran before did not come back within 5 reboots, so no more are made",
    );
    expect(world.trace.filter((entry) => entry === "reboot")).toHaveLength(6);
  });

  it("ends a module that hangs, and fails", async () => {
    const world = new World({ behaviour: { hangs: ["ArtifactInstall"] }, settings: { moduleTimeoutMs: 5000 } });
    const result = await world.deploy();
    expect(result).toMatchObject({
      status: "failure",
      failure: "update module recorder did not end within 5 s and was killed in ArtifactInstall",
    });
    expect(world.finals).toEqual(["failure"]);
  });

  it("runs the scripts that came with the artifact around each state, and forgets them", async () => {
    const names = ["ArtifactInstall_Enter_10_a", "ArtifactInstall_Enter_05", "ArtifactCommit_Leave_00_x"];
    const scripts = names.map((name) => ({ name, content: Buffer.from("#!/bin/sh\n") }));
    const world = new World({ plan: { scripts } });
    await world.deploy();
    expect(world.trace).toEqual([
      ...[...DOWNLOAD, "> installing", "ArtifactInstall_Enter_05", "ArtifactInstall_Enter_10_a", "ArtifactInstall"],
      ...["NeedsArtifactReboot", ...COMMITTING, "ArtifactCommit_Leave_00_x", "Cleanup", "> success"],
    ]);
  });

  it("calls the device inconsistent when a script fails after the commit, without going back", async () => {
    const scripts = ["ArtifactCommit_Leave_00", "ArtifactCommit_Error_00"].map((name) => ({
      name,
      content: Buffer.from("#!/bin/sh\n"),
    }));
    const world = new World({ plan: { scripts }, behaviour: rolling({ fails: { ArtifactCommit_Leave_00: 1 } }) });
    await world.deploy();
    expect(world.trace).toEqual([
      ...[...NO_REBOOT, ...COMMITTING, "ArtifactCommit_Leave_00", "ArtifactCommit_Error_00", ...FAILED],
    ]);
    expect(world.provides.artifact_name).toBe("new_INCONSISTENT");
  });

  it("runs a script again that asks for it, and gives up when its time is over", async () => {
    const scripts = [{ name: "ArtifactInstall_Enter_00", content: Buffer.from("#!/bin/sh\n") }];
    const patient = new World({
      plan: { scripts },
      behaviour: { fails: { ArtifactInstall_Enter_00: { code: 21, times: 3 } } },
    });
    await patient.deploy();
    expect(patient.trace.filter((entry) => entry === "ArtifactInstall_Enter_00")).toHaveLength(4);
    expect(patient.finals).toEqual(["success"]);
    const never = new World({ plan: { scripts }, behaviour: { fails: { ArtifactInstall_Enter_00: 21 } } });
    const result = await never.deploy();
    expect(result).toMatchObject({
      status: "failure",
      failure: "state script ArtifactInstall_Enter_00 still asked to be run again after 1800 s",
    });
    // Once a minute, and not when the time is over: it could only be ended at once.
    expect(never.trace.filter((entry) => entry === "ArtifactInstall_Enter_00")).toHaveLength(30);
  });
});
