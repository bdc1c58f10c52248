import { describe, expect, it } from "vitest";
import { AgentError } from "../../../agent/errors.ts";
import { noise, type Read } from "../adaptive/support.ts";
import { sourceFile } from "../support/artifacts.ts";
import { TREE, World, type WorldOptions } from "../support/world.ts";

const OLD = noise("old", 400_000);
/** Only its second half is new. */
const NEW = Buffer.concat([OLD.subarray(0, 200_000), noise("new", 200_000)]);
const SEED = "/opt/image";
const YES = { SupportsRollback: "Yes" };

const OPTIONS: WorldOptions = {
  behaviour: { answers: YES },
  plan: { files: [sourceFile("image", NEW)], compression: "none" },
  settings: { adaptiveSeeds: ["/opt"], storingPace: { bytes: 50_000, ms: 1_000_000 } },
  adaptive: {},
};

function worldOf(options: Partial<WorldOptions> = {}): World {
  const world = new World({ ...OPTIONS, ...options });
  world.files.put(SEED, OLD);
  return world;
}

const fetchedOf = (world: World, name: string): number =>
  world.reads.filter((read) => read.name === name).reduce((sum, { start, end }) => sum + end - start, 0);

/** What was stored of the payload when it was installed. */
function installed(world: World): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    world.onCall = (name) => {
      if (name === "ArtifactInstall") resolve(world.files.bytes(`${TREE}/files/image`));
    };
  });
}

describe("an adaptive deployment", () => {
  it("fetches what the device does not have, and tells the server what it cost", async () => {
    const world = worldOf();
    const image = installed(world);
    expect(await world.deploy()).toMatchObject({ status: "success", device: "new" });
    expect((await image)?.equals(NEW)).toBe(true);
    expect(fetchedOf(world, "chunks")).toBeLessThan(280_000);
    const { length: needed } = await world.bytes();
    const transfer = { needed, reused: expect.any(Number), fetched: world.fetchedBytes };
    expect(world.transfers).toEqual([
      ["downloading", undefined],
      ["installing", transfer],
      ["installing", transfer],
      ["success", transfer],
    ]);
    expect(world.reached).toEqual([]);
    expect(world.files.below("/data/modules").filter((path) => path.includes("adaptive"))).toEqual([]);
    expect(world.logged.join("\n")).toContain("adaptive download:");
  });

  it("asks its update module for seeds, before there is a work tree, and does without", async () => {
    const answers = { ...YES, AdaptiveSeeds: `${SEED}\nnonsense\n/not/there\n` };
    const settings = { ...OPTIONS.settings, adaptiveSeeds: [] };
    const world = worldOf({ settings, behaviour: { answers } });
    expect(await world.deploy()).toMatchObject({ status: "success" });
    expect(world.calls[0]).toBe("AdaptiveSeeds");
    expect(world.transfers.at(-1)?.[1]).not.toHaveProperty("plain");
    for (const behaviour of [{ answers: YES }, { answers, fails: { AdaptiveSeeds: 1 } }]) {
      const without = worldOf({ settings, behaviour });
      expect(await without.deploy()).toMatchObject({ status: "success" });
      expect(without.transfers.at(-1)?.[1]).toMatchObject({ plain: "does-not-pay" });
      expect(without.calls.filter((call) => call === "Cleanup")).toHaveLength(1);
    }
  });

  it.each<[string, NonNullable<WorldOptions["adaptive"]>, "the start" | "what is stored"]>([
    ["ranges-refused", { change: refuse("adaptive-ranges-refused", "chunks") }, "what is stored"],
    ["ranges-refused", { change: refuse("adaptive-ranges-refused", "index") }, "the start"],
    ["ranges-refused", { change: refuse("adaptive-ranges-refused", "artifact") }, "the start"],
    [
      "index-wrong",
      { offer: (offer) => ({ ...offer, index: { ...offer.index, sha256: "0".repeat(64) } }) },
      "the start",
    ],
    [
      "chunk-wrong",
      { change: (bytes, { name }) => (name === "chunks" ? Buffer.alloc(bytes.length) : bytes) },
      "what is stored",
    ],
    [
      "payload-wrong",
      { change: (bytes, { name }) => (name === "artifact" ? bytes.fill("x", 600, 610) : bytes) },
      "the start",
    ],
  ])("downloads the whole artifact, once, where it is %s", async (reason, adaptive, from) => {
    const world = worldOf({ adaptive });
    const image = installed(world);
    expect(await world.deploy()).toMatchObject({ status: "success", device: "new" });
    expect((await image)?.equals(NEW)).toBe(true);
    const { length: needed } = await world.bytes();
    expect(world.transfers.at(-1)).toEqual([
      "success",
      { needed, reused: 0, fetched: world.fetchedBytes, plain: reason },
    ]);
    expect(world.logged.join("\n")).toContain("the whole artifact is downloaded");
    const [start, ...others] = world.reached;
    expect(others).toEqual([]);
    if (from === "the start") expect(start).toBe(0);
    else {
      // A window that was put together of good chunks is stored, and the plain download goes on behind it.
      expect(start).toBeGreaterThan(128 * 1024);
      expect(start).toBeLessThan(needed);
    }
  });

  it("fails, and does not download the whole artifact, where the network fails for good", async () => {
    const world = worldOf({ adaptive: { change: refuse("download-failed", "chunks") } });
    expect(await world.deploy()).toMatchObject({ status: "failure", device: "old" });
    expect(world.reached).toEqual([]);
    expect(world.transfers.at(-1)).toMatchObject(["failure", { reused: expect.any(Number) }]);
  });

  it("fetches nothing twice, wherever it is killed, but what was not durable yet", async () => {
    const { steps } = await worldOf().deploy();
    const places = steps.flatMap((step, index) => (step.startsWith(`write ${TREE}/files/`) ? [index + 1] : []));
    const once = worldOf();
    await once.deploy();
    const indexBytes = fetchedOf(once, "index");
    for (const step of places) {
      const world = worldOf();
      const image = installed(world);
      expect(await world.deploy({ step, side: "after" })).toMatchObject({ status: "success" });
      expect((await image)?.equals(NEW)).toBe(true);
      expect(fetchedOf(world, "index")).toBe(indexBytes);
      // The chunks ahead of the disk, and those at the border of what is durable.
      expect(fetchedOf(world, "chunks")).toBeLessThan(fetchedOf(once, "chunks") + 50_000 + 512 * 1024);
    }
  });

  it("comes to its end wherever the power is cut while it downloads", async () => {
    const { steps } = await worldOf().deploy();
    for (let step = 1; step < steps.indexOf("report installing"); step++) {
      const world = worldOf();
      expect(await world.deploy({ step, side: "after" })).toMatchObject({ status: "success" });
      expect(world.files.below("/data/modules").filter((path) => path.includes("adaptive"))).toEqual([]);
    }
  });
});

function refuse(code: string, wanted: string): (bytes: Buffer, read: Read) => Buffer {
  return (bytes, { name }) => {
    if (name === wanted) throw new AgentError(code, `no ${name}`);
    return bytes;
  };
}
