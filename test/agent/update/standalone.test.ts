import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { JournalRecord, newRecord } from "../../../agent/update/journal.ts";
import { stopsOf } from "../../../agent/update/stops.ts";
import type { UpdateEngine } from "../../../agent/update/update-engine.ts";
import { sourceOf } from "../support/artifacts.ts";
import { type Cut, Life } from "../support/life.ts";
import { DEPLOYMENT, STORE, World, type WorldOptions } from "../support/world.ts";

const YES = { SupportsRollback: "Yes" };
const DOWNLOAD = ["ProvidePayloadFileSizes", "Download", "ArtifactInstall", "NeedsArtifactReboot", "SupportsRollback"];

async function install(world: World, engine?: UpdateEngine) {
  return await (engine ?? (await world.start())).install(sourceOf(await world.bytes()));
}

describe("an update by hand", () => {
  it("waits for the commit if it could be rolled back, also over a restart", async () => {
    const world = new World({ behaviour: { answers: { ...YES, NeedsArtifactReboot: "Automatic" } } });
    expect(await install(world)).toEqual({ kind: "awaiting-commit", artifactName: "new", rebootNeeded: true });
    expect(world.trace).toEqual(DOWNLOAD);
    expect(world.provides).toEqual({});
    const engine = await world.start();
    expect(engine.pending).toEqual({
      mode: "standalone",
      deployment: undefined,
      artifactName: "new",
      state: "AwaitCommit",
      whereabouts: "waiting for a person to commit or roll back",
    });
    expect(await engine.resume()).toBeUndefined();
    expect(await engine.commit()).toEqual({ kind: "committed", artifactName: "new", rebootNeeded: true });
    expect(world.trace).toEqual([...DOWNLOAD, "ArtifactCommit", "Cleanup"]);
    expect(world.provides.artifact_name).toBe("new");
    expect(await engine.commit()).toEqual({ kind: "none-in-progress" });
    expect(await engine.rollback()).toEqual({ kind: "none-in-progress" });
  });

  it("is committed at once if it cannot be rolled back", async () => {
    const world = new World();
    expect(await install(world)).toEqual({ kind: "committed", artifactName: "new", rebootNeeded: false });
    expect(world.trace).toEqual([...DOWNLOAD, "ArtifactCommit", "Cleanup"]);
  });

  it("goes back when it is told to", async () => {
    const world = new World({ behaviour: { answers: { ...YES, NeedsArtifactReboot: "Yes" } } });
    const engine = await world.start();
    await install(world, engine);
    expect(await engine.rollback()).toEqual({ kind: "rolled-back", artifactName: "new" });
    expect(world.trace).toEqual([...DOWNLOAD, "SupportsRollback", "ArtifactRollback", "ArtifactFailure", "Cleanup"]);
    expect(world.provides).toEqual({});
  });

  it("says so when the module changed its mind about rolling back, and stays as it is", async () => {
    const behaviour = { answers: { SupportsRollback: "Yes" } };
    const world = new World({ behaviour });
    const engine = await world.start();
    await install(world, engine);
    behaviour.answers.SupportsRollback = "No";
    expect(await engine.rollback()).toEqual({ kind: "rollback-unsupported", artifactName: "new" });
    expect(engine.pending).toMatchObject({ state: "AwaitCommit" });
    expect(await engine.commit()).toMatchObject({ kind: "committed" });
  });

  it("goes back when the commit fails", async () => {
    const world = new World({ behaviour: { answers: YES, fails: { ArtifactCommit: 1 } } });
    const engine = await world.start();
    await install(world, engine);
    expect(await engine.commit()).toMatchObject({
      kind: "failed",
      device: "old",
      failure: { code: "module-failed", message: "update module recorder exited with code 1 in ArtifactCommit" },
    });
    expect(world.software).toBe("old");
  });

  it("leaves no trace, and asks no module, when the artifact does not fit", async () => {
    const world = new World({ plan: { deviceTypes: ["other"] } });
    const source = sourceOf(await world.bytes());
    expect(await (await world.start()).install(source)).toMatchObject({
      kind: "failed",
      device: "old",
      failure: { code: "device-type-mismatch" },
    });
    expect(source.closed()).toBe(true);
    expect(world.trace).toEqual([]);
    expect(world.files.text(STORE)).toBeUndefined();
  });

  it("commits an empty payload at once, after its depends were checked, without scripts", async () => {
    const plan: WorldOptions["plan"] = {
      kind: "bootstrap",
      artifactName: "new",
      deviceTypes: ["board"],
      provides: { "rootfs-image.version": "7" },
    };
    const world = new World({ plan });
    world.files.put("/scripts/Download_Enter_00", "#!", 0o755);
    expect(await install(world)).toMatchObject({ kind: "committed" });
    expect(world.trace).toEqual([]);
    expect(world.provides).toEqual({ artifact_name: "new", "rootfs-image.version": "7" });
    const picky = new World({ plan: { ...plan, dependsArtifactNames: ["other"] } });
    expect(await install(picky)).toMatchObject({ kind: "failed", failure: { code: "depends-mismatch" } });
  });

  it("is refused while another waits, and lets no deployment begin", async () => {
    const world = new World({ behaviour: { answers: YES } });
    const engine = await world.start();
    await install(world, engine);
    const refusal = {
      code: "update-in-progress",
      message:
        'an update installed by hand of artifact "new" has not come to its end: it is waiting for a person to commit or roll back',
    };
    const source = sourceOf(await world.bytes());
    await expect(engine.install(source)).rejects.toMatchObject(refusal);
    expect(source.closed()).toBe(true);
    await expect(engine.runDeployment(DEPLOYMENT)).rejects.toMatchObject(refusal);
    expect(world.statuses).toEqual([]);
  });

  it("is stopped by a signal, and a new one may begin as nothing was changed", async () => {
    const world = new World({ behaviour: { hangs: ["Download"] } });
    const stop = new AbortController();
    const engine = await world.start();
    const stopped = engine.install(sourceOf(await world.bytes()), stop.signal);
    while (!world.trace.includes("Download")) await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error("enough"));
    expect(await stopped).toEqual({ kind: "interrupted", state: "Download" });
    const second = new World();
    for (const path of world.files.below("/data")) {
      if (path.endsWith(".json")) second.files.put(path, world.files.text(path) ?? "");
    }
    expect(await install(second)).toMatchObject({ kind: "committed" });
  });

  it("that was interrupted comes to its end by commit or rollback, wherever it was cut", async () => {
    const options: WorldOptions = { behaviour: { answers: YES } };
    const whole = new Life();
    const reference = new World(options);
    await install(reference, await reference.start(whole));
    for (let step = 1; step <= whole.steps; step++) {
      for (const next of ["commit", "rollback"] as const) {
        const world = new World(options);
        const cut: Cut = { step, side: "after" };
        const life = new Life(cut);
        const engine = world.start(life).then((started) => install(world, started));
        await Promise.race([engine, life.over]);
        const waits = JSON.parse(world.files.text(STORE) ?? "{}").update?.state === "AwaitCommit";
        const result = await (await world.start())[next]();
        const where = `${next} after step ${step}, ${whole.names[step - 1]}`;
        if (waits && next === "commit") expect(result.kind, where).toBe("committed");
        else expect(["none-in-progress", "failed", "rolled-back"], where).toContain(result.kind);
        expect(world.provides.artifact_name ?? "old", where).toBe(world.software);
        expect(
          world.files.below("/data").filter((path) => path.includes("tree") && result.kind !== "none-in-progress"),
          where,
        ).toEqual([]);
      }
    }
  });
});

describe("an update by hand that is told to stop", () => {
  const stops = (...names: string[]) => stopsOf(names);

  async function stopped(world: World, ...names: string[]) {
    return await (await world.start()).install(sourceOf(await world.bytes()), undefined, stops(...names));
  }

  it.each([
    ["ArtifactInstall_Enter", {}, ["ProvidePayloadFileSizes", "Download"]],
    ["ArtifactCommit_Enter", {}, DOWNLOAD],
    ["ArtifactCommit_Leave", {}, [...DOWNLOAD, "ArtifactCommit"]],
    ["Cleanup", {}, [...DOWNLOAD, "ArtifactCommit"]],
  ])("before %s has done nothing of it, and goes on from there over a restart", async (name, answers, trace) => {
    const world = new World({ behaviour: { answers } });
    expect(await stopped(world, name)).toEqual({
      kind: "stopped",
      artifactName: "new",
      where: `stopped before ${name}`,
      rebootNeeded: false,
      failure: undefined,
    });
    expect(world.trace).toEqual(trace);
    expect(world.provides).toEqual({});
    const engine = await world.start();
    // The same stop again is no step forward.
    expect(await engine.resumeInstall(undefined, stops(name))).toMatchObject({ kind: "stopped" });
    expect(world.trace).toEqual(trace);
    await expect(engine.install(sourceOf(await world.bytes()))).rejects.toMatchObject({
      message: `an update installed by hand of artifact "new" has not come to its end: it is stopped before ${name}`,
    });
    expect(await engine.resumeInstall()).toMatchObject({ kind: "committed" });
    expect(world.trace).toEqual([...DOWNLOAD, "ArtifactCommit", "Cleanup"]);
    expect(world.provides.artifact_name).toBe("new");
    expect(await engine.resumeInstall()).toEqual({ kind: "none-in-progress" });
  });

  it.each(["ArtifactRollback_Enter", "ArtifactFailure_Enter", "Cleanup"])(
    "before %s on its way back has failed; resuming it answers only for the rest",
    async (name) => {
      const world = new World({ behaviour: { answers: YES, fails: { ArtifactInstall: 1 } } });
      expect(await stopped(world, name)).toMatchObject({ kind: "stopped", failure: { code: "module-failed" } });
      const engine = await world.start();
      expect(await engine.commit()).toEqual({
        kind: "wrong-state",
        artifactName: "new",
        wish: "commit",
        where: `stopped before ${name}`,
      });
      const kind = name === "Cleanup" ? "tidied" : "rolled-back";
      expect(await engine.resumeInstall()).toMatchObject({ kind });
      expect(world.trace.slice(-3)).toEqual(["ArtifactRollback", "ArtifactFailure", "Cleanup"]);
      expect(world.software).toBe("old");
    },
  );

  it("can be rolled back as long as it is not over", async () => {
    for (const name of ["ArtifactInstall_Enter", "ArtifactCommit_Enter"]) {
      const world = new World({ behaviour: { answers: YES } });
      await stopped(world, name);
      expect(await (await world.start()).rollback()).toEqual({ kind: "rolled-back", artifactName: "new" });
      expect(world.software).toBe("old");
    }
    const late = new World({ behaviour: { answers: YES } });
    await stopped(late);
    expect(await (await late.start()).commit(undefined, stops("Cleanup"))).toMatchObject({ kind: "stopped" });
    expect(await (await late.start()).rollback()).toMatchObject({ kind: "wrong-state", wish: "roll back" });
  });

  it("fails when it is resumed and fails then", async () => {
    const world = new World({ behaviour: { answers: YES, fails: { ArtifactInstall: 1 } } });
    await stopped(world, "ArtifactInstall_Enter");
    expect(await (await world.start()).resumeInstall()).toMatchObject({ kind: "failed", device: "old" });
  });

  it("is only known to stop before the states of the protocol", () => {
    expect(() => stopsOf(["Cleanup", "Download_Enter"])).toThrow(
      'an update cannot be stopped before "Download_Enter", only before one of ArtifactInstall_Enter, ArtifactCommit_Enter, ArtifactCommit_Leave, ArtifactRollback_Enter, ArtifactFailure_Enter, Cleanup',
    );
  });

  it("once a state has begun, a power cut does not make it stop before that again", async () => {
    const world = new World({ behaviour: { answers: YES } });
    await stopped(world);
    const whole = new Life();
    const reference = new World({ behaviour: { answers: YES } });
    await stopped(reference);
    await (await reference.start(whole)).commit();
    const after = whole.names.lastIndexOf("start ArtifactCommit");
    const cut = whole.names.findIndex((step, index) => index > after && step.startsWith("rename")) + 1;
    const life = new Life({ step: cut, side: "after" });
    await Promise.race([world.start(life).then((engine) => engine.commit()), life.over]);
    const update = JSON.parse(world.files.text(STORE) ?? "{}").update;
    expect(update).toMatchObject({ state: "AfterArtifactCommit" });
    const engine = await world.start();
    expect(await engine.resumeInstall(undefined, stops("ArtifactCommit_Leave"))).toMatchObject({ kind: "committed" });
  });
});

describe("after a power cut, an update by hand", () => {
  it("ends whatever was cut when it is resumed, and says what runs", async () => {
    for (const answers of [YES, {}]) {
      const options: WorldOptions = { behaviour: { answers } };
      const whole = new Life();
      const reference = new World(options);
      await install(reference, await reference.start(whole));
      for (let step = 1; step <= whole.steps; step++) {
        const world = new World(options);
        const life = new Life({ step, side: "after" });
        await Promise.race([world.start(life).then((started) => install(world, started)), life.over]);
        const before = JSON.parse(world.files.text(STORE) ?? "{}").update?.state;
        const result = await (await world.start()).resumeInstall();
        const where = `after step ${step}, ${whole.names[step - 1]}, in ${before}`;
        if (before === undefined || before === null || before === "Download" || before === "Report") {
          expect(result.kind, where).toBe("none-in-progress");
        } else {
          expect(["committed", "rolled-back", "failed"], where).toContain(result.kind);
        }
        if (result.kind === "rolled-back") expect(world.software, where).toBe("old");
        if (result.kind === "committed") expect(world.provides.artifact_name, where).toBe("new");
        expect(await (await world.start()).resumeInstall(), where).toEqual({ kind: "none-in-progress" });
      }
    }
  });

  it("that failed before anything of the artifact was known is nothing to commit or to roll back", async () => {
    for (const wish of ["commit", "rollback"] as const) {
      const world = new World();
      const update = z.encode(JournalRecord, {
        ...newRecord({ mode: "standalone" }, 0),
        position: { kind: "entered", state: "Cleanup" },
        failure: { code: "ENOSPC", message: "the disk is full" },
      });
      world.files.put(STORE, JSON.stringify({ version: 1, provides: null, update }));
      const engine = await world.start();
      expect(await engine[wish]()).toEqual({ kind: "none-in-progress" });
      expect(engine.pending).toBeUndefined();
    }
  });
});
