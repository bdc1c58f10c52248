import { describe, expect, it } from "vitest";
import { artifactBytes, sourceFile } from "../support/artifacts.ts";
import { OFFLINE, PLAN, TREE, World, type WorldOptions } from "../support/world.ts";

const FILES = { one: "1".repeat(5000), two: "2".repeat(9000), three: "3".repeat(700) };
const files = Object.entries(FILES).map(([name, text]) => sourceFile(name, text));
const PIECE_BYTES = 512;
const PACE = { bytes: 1000, ms: 1_000_000 };
const YES = { SupportsRollback: "Yes" };
const OPTIONS: WorldOptions = {
  behaviour: { answers: YES },
  plan: { files },
  pieceBytes: PIECE_BYTES,
  settings: { storingPace: PACE },
};

/** The steps of a deployment that nothing interrupts. */
async function stepsOf(options: WorldOptions): Promise<readonly string[]> {
  return (await new World(options).deploy()).steps;
}

/** The nth step of this name, from 1. */
function placeOf(steps: readonly string[], name: string, nth: number): number {
  const places = steps.flatMap((step, index) => (step === name ? [index + 1] : []));
  const place = places.at(nth - 1);
  if (place === undefined) throw new Error(`there is no ${name} number ${nth} in ${steps.join(", ")}`);
  return place;
}

const storedAt = async (name: keyof typeof FILES, nth: number, options = OPTIONS): Promise<number> =>
  placeOf(await stepsOf(options), `write ${TREE}/files/${name}`, nth);

describe("a download that is interrupted while its payload is stored", () => {
  it("costs no more than its header and what was not yet durable, wherever it is killed", async () => {
    const steps = await stepsOf(OPTIONS);
    const whole = new World(OPTIONS);
    await whole.deploy();
    const size = (await whole.bytes()).length;
    expect(whole.fetchedBytes).toBe(size);
    const headerBytes = (await whole.bytes()).indexOf(FILES.one.slice(0, 100));
    const places = steps.flatMap((step, index) => (step.startsWith(`write ${TREE}/files/`) ? [index + 1] : []));
    expect(places.length).toBeGreaterThan(25);
    for (const step of places) {
      const world = new World(OPTIONS);
      expect(await world.deploy({ step, side: "after" })).toMatchObject({ status: "success", device: "new" });
      // The reader of the network is one piece ahead of the disk; one more piece comes for each place that is left out.
      const again = world.fetchedBytes - size;
      expect(again).toBeLessThanOrEqual(headerBytes + PACE.bytes + 6 * PIECE_BYTES);
      expect(world.statuses).toEqual(["downloading", "downloading", "installing", "installing", "success"]);
    }
  });

  it("does not begin on the update module anew, and leaves nothing in the journal", async () => {
    const world = new World(OPTIONS);
    await world.deploy({ step: await storedAt("two", 9), side: "after" });
    expect(world.calls.filter((call) => call === "Cleanup")).toHaveLength(1);
    expect(world.calls.filter((call) => call === "Download")).toHaveLength(2);
    expect(world.reached[1]).toBeGreaterThan(5000);
    expect(world.files.below("/data/modules").filter((path) => path.includes("tree"))).toEqual([]);
    expect(world.files.text("/data/upkeep-store.json")).not.toContain("reachedBytes");
  });

  it("waits for a server that cannot be reached when the device has started", async () => {
    const step = await storedAt("two", 9);
    const world = new World({ ...OPTIONS, tries: 5, offer: (nth) => (nth < 4 ? OFFLINE : undefined) });
    expect(await world.deploy({ step, side: "after" })).toMatchObject({ status: "success" });
    expect(world.logged.filter((line) => line.includes("could not ask for the deployment again"))).toHaveLength(3);
    const never = new World({ ...OPTIONS, tries: 5, offer: () => OFFLINE });
    expect(await never.deploy({ step, side: "after" })).toMatchObject({ status: "failure", device: "old" });
  });

  it("is ended, and reported once, where the server aborted it meanwhile or does not offer it any more", async () => {
    const step = await storedAt("two", 9);
    const aborted = new World({
      ...OPTIONS,
      answer: (status, nth) => (status === "downloading" && nth === 2 ? "aborted" : "accepted"),
    });
    expect(await aborted.deploy({ step, side: "after" })).toMatchObject({ status: "failure", device: "old" });
    const withdrawn = new World({ ...OPTIONS, withdrawn: true });
    const result = await withdrawn.deploy({ step, side: "after" });
    expect(result).toMatchObject({ failure: "the server does not offer this deployment any more", device: "old" });
    for (const world of [aborted, withdrawn]) {
      expect(world.statuses).toEqual(["downloading", "downloading", "failure"]);
      expect(world.calls.slice(-1)).toEqual(["Cleanup"]);
      expect(world.files.below("/data/modules").filter((path) => path.includes("tree"))).toEqual([]);
    }
  });

  it("starts over, once, where what was kept is not what it was", async () => {
    for (const kept of ["one", "two"] as const) {
      const world = new World(OPTIONS);
      const installed: (string | undefined)[] = [];
      const result = await world.deploy({ step: await storedAt("two", 12), side: "after" }, () => {
        const text = world.files.text(`${TREE}/files/${kept}`) ?? "";
        world.files.put(`${TREE}/files/${kept}`, `x${text.slice(1)}`);
        installed.push(text);
      });
      expect(installed).toHaveLength(1);
      expect(result).toMatchObject({ status: "success", device: "new" });
      const startedOver = world.logged.some((line) => line.includes("the download starts over"));
      // A file that was complete shows at once that it is another one; a part shows it when it is whole.
      expect(startedOver).toBe(kept === "two");
    }
  });

  it("keeps nothing of an artifact that is another one after the restart", async () => {
    const changed = files.map((file) => (file.name === "two" ? sourceFile("two", "!".repeat(8000)) : file));
    const other = await artifactBytes({ ...PLAN, files: changed } as typeof PLAN);
    let restarted = false;
    const world = new World({ ...OPTIONS, bytes: (bytes) => (restarted ? other : bytes) });
    const result = await world.deploy({ step: await storedAt("two", 12), side: "after" }, () => {
      restarted = true;
    });
    expect(result).toMatchObject({ status: "success" });
    expect(world.logged.join("\n")).toContain("the artifact is another one than before");
    expect(world.calls.filter((call) => call === "Cleanup")).toHaveLength(2);
  });

  it("keeps what is the same in an artifact whose header is another one after the restart", async () => {
    const scripts = [{ name: "ArtifactInstall_Enter_00", content: Buffer.from("#!/bin/sh\n# another size\n") }];
    const other = await artifactBytes({ ...PLAN, files, scripts } as typeof PLAN);
    let restarted = false;
    const world = new World({ ...OPTIONS, bytes: (bytes) => (restarted ? other : bytes) });
    const result = await world.deploy({ step: await storedAt("two", 15), side: "after" }, () => {
      restarted = true;
      world.fetchedBytes = 0;
    });
    expect(result).toMatchObject({ status: "success" });
    expect(world.fetchedBytes).toBeLessThan(other.length - 9000);
    expect(world.calls).toContain("ArtifactInstall_Enter_00");
  });

  it("goes on however often it is interrupted, as long as it comes further", async () => {
    const world = new World({ ...OPTIONS, settings: { ...OPTIONS.settings, stateVisitsMax: 8 } });
    const size = (await world.bytes()).length;
    expect(size).toBeGreaterThan(14_000);
    for (let life = 1; life <= 12; life++) {
      const written = await killedAfterWriting(world, 2000);
      if (!written) break;
    }
    expect(await world.deploy()).toMatchObject({ status: "success" });
    expect(world.reached.length).toBeGreaterThan(8);
  });

  it("is given up as a loop if it comes no further", async () => {
    const world = new World({ ...OPTIONS, settings: { ...OPTIONS.settings, stateVisitsMax: 8 } });
    for (let life = 1; life <= 8; life++) await killedAfterWriting(world, 1);
    await world.deploy();
    expect(world.finals).toEqual(["failure"]);
    expect(world.logged.join("\n")).toContain("given up as a loop");
    // Nothing was changed, and the device knows that.
    expect(world.provides.artifact_name).toBeUndefined();
    expect(world.files.below("/data/modules").filter((path) => path.includes("tree"))).toEqual([]);
  });
});

/** Lets the device live until it has stored so much, and kills it. @returns False if it came to its end before. */
async function killedAfterWriting(world: World, bytes: number): Promise<boolean> {
  return await world.deployUntil((names) => {
    const written = names.filter((name) => name.startsWith(`write ${TREE}/files/`)).length * PIECE_BYTES;
    return written >= bytes;
  });
}
