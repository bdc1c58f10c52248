import { SystemError } from "@upkeep/shared/system";
import { describe, expect, it } from "vitest";
import { AgentError } from "../../../agent/errors.ts";
import { STATE_NAMES, stateOf } from "../../../agent/update/states.ts";
import { DEPLOYMENT, MODULES, OFFLINE, STORE, World } from "../support/world.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));
const other = { ...DEPLOYMENT, id: "d-2" };

describe("the update engine", () => {
  it("keeps a final status until the server has it, lets nothing else begin, and never changes it", async () => {
    let reachable = false;
    const world = new World({
      answer: (status) => (status !== "success" || reachable ? "accepted" : OFFLINE),
      tries: 2,
    });
    const engine = await world.start();
    expect(await engine.runDeployment(DEPLOYMENT)).toMatchObject({ status: "success", reported: "pending" });
    expect(engine.pending).toMatchObject({ deployment: "d-1", state: "Report" });
    await expect(engine.runDeployment(other)).rejects.toMatchObject({ code: "update-in-progress" });

    const kept = world.files.text(STORE);
    expect(await engine.resume()).toMatchObject({ status: "success", reported: "pending" });
    expect(world.files.text(STORE), "nothing is written while it only waits").toBe(kept);

    const restarted = await world.start();
    expect(await restarted.resume()).toMatchObject({ status: "success", reported: "pending" });
    reachable = true;
    expect(await restarted.resume()).toMatchObject({ status: "success", reported: "accepted" });
    expect(restarted.pending).toBeUndefined();
    expect(await restarted.resume()).toBeUndefined();
    expect(world.finals).toEqual(["success"]);
    expect(world.statuses.filter((status) => status === "success")).toHaveLength(7);
    expect(world.calls.filter((call) => call === "Cleanup")).toHaveLength(1);
  });

  it("waits with a success until what the device provides can be written with it", async () => {
    const world = new World();
    const engine = await world.start();
    let full = true;
    world.files.refuse = (path) =>
      full && path.startsWith(STORE) && /"state": "AfterArtifactCommit"/.test(world.files.text(STORE) ?? "");
    expect(await engine.runDeployment(DEPLOYMENT)).toMatchObject({
      reported: "pending",
      unwritten: "no space left on device",
    });
    expect(world.finals).toEqual([]);
    full = false;
    expect(await engine.resume()).toMatchObject({ status: "success", reported: "accepted" });
    expect(world.finals).toEqual(["success"]);
    expect(world.provides.artifact_name).toBe("new");
  });

  it("tells a failure that it cannot write down, and writes what the device provides as soon as it can", async () => {
    const world = new World({ behaviour: { fails: { ArtifactInstall: 1 } } });
    const engine = await world.start();
    let full = true;
    world.files.refuse = (path) =>
      full && path.startsWith(STORE) && /"state": "ArtifactFailure"/.test(world.files.text(STORE) ?? "");
    expect(await engine.runDeployment(DEPLOYMENT)).toMatchObject({ status: "failure", reported: "accepted" });
    expect(world.finals).toEqual(["failure"]);
    expect(world.calls.filter((call) => call === "Cleanup")).toHaveLength(1);
    expect(engine.pending).toBeUndefined();
    expect(world.provides.artifact_name).toBeUndefined();
    expect(await engine.resume()).toBeUndefined();
    full = false;
    expect(await engine.resume()).toBeUndefined();
    expect(world.provides.artifact_name).toBe("new_INCONSISTENT");
    expect(JSON.parse(world.files.text(STORE) ?? "")).toMatchObject({ update: null, last: { deployment: "d-1" } });
  });

  it("cleans up before the outcome is written down where only that gives back the room for it", async () => {
    const world = new World({ behaviour: { fails: { ArtifactInstall: 1 }, answers: { SupportsRollback: "Yes" } } });
    const engine = await world.start();
    world.files.refuse = (path) =>
      path.startsWith(STORE) && world.calls.includes("ArtifactInstall") && !world.calls.includes("Cleanup");
    expect(await engine.runDeployment(DEPLOYMENT)).toMatchObject({
      status: "failure",
      device: "old",
      reported: "accepted",
    });
    expect(world.calls.slice(world.calls.indexOf("ArtifactInstall"))).toEqual([
      "ArtifactInstall",
      "SupportsRollback",
      "ArtifactRollback",
      "NeedsArtifactReboot",
      "ArtifactFailure",
      "Cleanup",
    ]);
    expect(JSON.parse(world.files.text(STORE) ?? "")).toMatchObject({
      update: null,
      last: { status: "failure", device: "old" },
    });
  });

  it("waits for room on the disk as long as it takes: that is no loop, and nothing is told before", async () => {
    const world = new World();
    const engine = await world.start();
    let full = true;
    world.files.refuse = (path) =>
      full && path.startsWith(STORE) && world.files.text(STORE)?.includes('"state": "AfterArtifactCommit"') === true;
    let result = await engine.runDeployment(DEPLOYMENT);
    for (let tries = 0; tries < 100; tries++) {
      expect(result).toMatchObject({ status: "success", reported: "pending", failure: undefined });
      result = (await engine.resume()) ?? result;
    }
    expect(world.finals).toEqual([]);
    full = false;
    expect(await engine.resume()).toMatchObject({ status: "success", reported: "accepted" });
    expect(world.finals).toEqual(["success"]);
    expect(world.provides.artifact_name).toBe("new");
  });

  it.each([
    ["as soon as it can be written down", 60_000, true],
    ["after an hour, so that no device reboots without pause", 61 * 60_000, false],
  ])("makes a reboot on the way back that it cannot write down %s", async (_, waitedMs, mended) => {
    const answers = { SupportsRollback: "Yes", NeedsArtifactReboot: "Yes" };
    const world = new World({ behaviour: { answers, fails: { ArtifactCommit: 1 } } });
    const engine = await world.start();
    const rebooted = (): boolean => world.calls.includes("ArtifactRollbackReboot");
    let full = true;
    world.files.refuse = (path) => full && path.startsWith(STORE) && world.calls.includes("ArtifactRollback");
    expect(await engine.runDeployment(DEPLOYMENT)).toMatchObject({ reported: "pending" });
    expect(await engine.resume()).toMatchObject({ reported: "pending" });
    expect(rebooted()).toBe(false);
    expect(world.logged.join("\n")).toContain("ArtifactRollbackReboot waits until it can be written down");
    await world.time.sleep(waitedMs);
    full = !mended;
    expect(await engine.resume()).toMatchObject({ status: "failure" });
    expect(rebooted()).toBe(true);
  });

  it("tells of an update given up as a loop once, though its end cannot be written down", async () => {
    const world = new World({ settings: { stateVisitsMax: 2 } });
    const engine = await world.start();
    let full = true;
    world.files.refuse = (path) =>
      full && path.startsWith(STORE) && world.files.text(STORE)?.includes('"state": "ArtifactInstall"') === true;
    expect(await engine.runDeployment(DEPLOYMENT)).toMatchObject({ status: "failure", reported: "accepted" });
    for (let tries = 0; tries < 5; tries++) expect(await engine.resume()).toBeUndefined();
    full = false;
    expect(await engine.resume()).toBeUndefined();
    expect(world.statuses.filter((status) => status === "failure")).toHaveLength(1);
    expect(world.provides.artifact_name).toBe("new_INCONSISTENT");
  });

  it("is not in its own way when it cannot write down that an update is over", async () => {
    const world = new World();
    const engine = await world.start();
    let full = true;
    world.files.refuse = (path) => full && path.startsWith(STORE) && world.finals.length > 0;
    expect(await engine.runDeployment(DEPLOYMENT)).toMatchObject({ status: "success", reported: "accepted" });
    expect(JSON.parse(world.files.text(STORE) ?? "").update, "the journal still has it").toMatchObject({
      state: "Report",
    });
    expect(engine.pending).toBeUndefined();
    expect(await engine.resume(), "it is not run again").toBeUndefined();
    full = false;
    expect(await engine.runDeployment(other)).toMatchObject({ deployment: "d-2", status: "success" });
    expect(JSON.parse(world.files.text(STORE) ?? "").update).toBeNull();
    expect(world.logged.filter((line) => line.includes("cannot write down that"))).toHaveLength(2);
  });

  it("writes down that an update is over as soon as it can", async () => {
    const world = new World();
    const engine = await world.start();
    let full = true;
    world.files.refuse = (path) => full && path.startsWith(STORE) && world.finals.length > 0;
    await engine.runDeployment(DEPLOYMENT);
    full = false;
    expect(await engine.resume()).toBeUndefined();
    expect(JSON.parse(world.files.text(STORE) ?? "")).toMatchObject({ update: null, last: { deployment: "d-1" } });
  });

  it("asks a module again that it could not start on the way back, a few times", async () => {
    for (const [faults, software] of [
      [3, "old"],
      [4, "new"],
    ] as const) {
      const world = new World({ behaviour: { answers: { SupportsRollback: "Yes" }, fails: { ArtifactInstall: 1 } } });
      const { status } = world.files;
      let failed = 0;
      world.files.status = async (path) => {
        const asked = path === `${MODULES}/recorder` && world.calls.includes("ArtifactInstall");
        if (asked && failed++ < faults) throw new SystemError("EIO", "the disk does not answer");
        return await status.call(world.files, path);
      };
      await world.deploy();
      expect(world.calls.includes("ArtifactRollback"), `${faults} faults`).toBe(software === "old");
      expect(world.software).toBe(software);
    }
  });

  it("says in its log why a device calls itself inconsistent", async () => {
    const world = new World({ behaviour: { fails: { ArtifactInstall: 1 } } });
    await world.deploy();
    expect(world.provides.artifact_name).toBe("new_INCONSISTENT");
    expect(world.logs[0]?.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(
        /it calls itself "new_INCONSISTENT" until an update succeeds.*exited with code 1 in ArtifactInstall/,
      ),
    );
  });

  it("is done with a deployment that its server no longer knows", async () => {
    const world = new World({ answer: (status) => (status === "success" ? "gone" : "accepted") });
    const engine = await world.start();
    expect(await engine.runDeployment(DEPLOYMENT)).toMatchObject({ status: "success", reported: "aborted" });
    expect(engine.pending).toBeUndefined();
    expect(world.provides.artifact_name).toBe("new");
  });

  it("waits as long as the server asks for", async () => {
    const busy = new AgentError("server-busy", "busy", { retryAfterMs: 5 });
    const world = new World({ answer: (status, nth) => (status === "success" && nth === 1 ? busy : "accepted") });
    const before = world.time.now();
    await (await world.start()).runDeployment(DEPLOYMENT);
    expect(world.finals).toEqual(["success"]);
    const tookMs = world.time.now() - before;
    expect(tookMs).toBeGreaterThanOrEqual(5);
    expect(tookMs, "not the pause between tries without such a wish").toBeLessThan(60_000);
  });

  it("works on one update at a time", async () => {
    const world = new World();
    const engine = await world.start();
    const first = engine.runDeployment(DEPLOYMENT);
    await expect(engine.runDeployment(other)).rejects.toMatchObject({ code: "update-in-progress" });
    expect(await first).toMatchObject({ deployment: "d-1", status: "success" });
    expect(await engine.runDeployment(other)).toMatchObject({ deployment: "d-2", status: "success" });
  });

  it("stops at once when it is told to, ends the module, and later comes to one end", async () => {
    for (const call of ["Download", "ArtifactInstall", "ArtifactCommit", "Cleanup"]) {
      const behaviour = { answers: { SupportsRollback: "Yes" }, hangs: [call] };
      const world = new World({ behaviour });
      const stop = new AbortController();
      const engine = await world.start();
      const stopped = engine.runDeployment(DEPLOYMENT, stop.signal);
      while (!world.trace.includes(call)) await turn();
      stop.abort(new Error("the program is to end"));
      expect(await stopped, call).toEqual({ kind: "interrupted", state: call });
      expect(world.finals).toEqual([]);
      behaviour.hangs = [];
      const result = await world.deploy();
      const status = call === "Cleanup" || call === "Download" ? "success" : "failure";
      expect(result, call).toMatchObject({ kind: "finished", status, device: status === "success" ? "new" : "old" });
      expect(world.finals, call).toEqual([status]);
    }
  });

  it("takes a restart of the program by a script before the reboot for the reboot", async () => {
    const script = { name: "ArtifactReboot_Enter_00", content: Buffer.from("#!/bin/sh\n") };
    const behaviour = { answers: { NeedsArtifactReboot: "Yes" }, hangs: [script.name] };
    const world = new World({ behaviour, plan: { scripts: [script] } });
    const stop = new AbortController();
    const stopped = (await world.start()).runDeployment(DEPLOYMENT, stop.signal);
    while (!world.trace.includes(script.name)) await turn();
    stop.abort(new Error("systemd stops the service"));
    expect(await stopped).toEqual({ kind: "interrupted", state: "ArtifactReboot" });
    await world.deploy();
    expect(world.calls.slice(world.calls.indexOf(script.name) + 1)[0]).toBe("ArtifactVerifyReboot");
    expect(world.finals).toEqual(["success"]);
  });

  it("tells whoever watches where it is and how much has come", async () => {
    const world = new World();
    await world.deploy();
    expect(world.states).toEqual([
      ...["Download", "ArtifactInstall", "NeedsArtifactReboot", "BeforeArtifactCommit", "ArtifactCommit"],
      ...["AfterArtifactCommit", "Cleanup", "Report"],
    ]);
    const { length } = await world.bytes();
    expect(world.received.at(-1)).toEqual([length, length]);
  });
});

describe("the table of states", () => {
  it("leads everywhere, and from everywhere to an end", () => {
    const reached = new Set<string>(["Download"]);
    for (const name of reached) {
      if (name === "Idle" || name === "Waiting") continue;
      const state = stateOf(name as (typeof STATE_NAMES)[number]);
      for (const { to } of Object.values(state.next)) reached.add(to);
    }
    expect([...reached].sort()).toEqual([...STATE_NAMES, "Idle", "Waiting"].sort());
  });

  it("says what a restart means wherever it is journalled, and nowhere else", () => {
    for (const name of STATE_NAMES) {
      const { journal, restart } = stateOf(name);
      expect(restart === undefined, name).toBe(journal === "no");
      if (restart !== undefined) expect([...STATE_NAMES, name], name).toContain(restart);
    }
  });

  it("lets everything that could fail, fail", () => {
    for (const name of STATE_NAMES) expect(stateOf(name).next.failed, name).toBeDefined();
  });
});
