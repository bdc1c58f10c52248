import { noopLogger } from "@upkeep/shared/logging";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { committedProvides, deviceProvides, inconsistentProvides } from "../../../agent/device/provides.ts";
import { JournalRecord, newRecord } from "../../../agent/update/journal.ts";
import { DeviceStore } from "../../../agent/update/store.ts";
import { MemoryFiles } from "../support/memory-files.ts";
import { DATASTORE, STORE } from "../support/world.ts";

const ORIGIN = { mode: "deployment", id: "d-1", standing: "open" } as const;

const artifact = {
  name: "new",
  group: "beta",
  payloadType: "x",
  provides: { "x.version": "2" },
  clears: ["x.*"],
};

describe("the device's store", () => {
  it("gives back what was saved, the update and the provides in one", async () => {
    const files = new MemoryFiles();
    const store = await DeviceStore.open(files, DATASTORE, noopLogger);
    expect(store.provides).toBeUndefined();
    expect(deviceProvides(store, "board")).toEqual({ artifact_name: "unknown", device_type: "board" });
    const update = { ...newRecord(ORIGIN, 0), artifact, outcome: "success" as const };
    await store.save({ provides: { artifact_name: "new" }, update });
    const again = await DeviceStore.open(files, DATASTORE, noopLogger);
    expect(again.provides).toEqual({ artifact_name: "new" });
    expect(again.update).toEqual(update);
    await again.save({ update: null });
    expect(again.update).toBeUndefined();
    expect(again.provides).toEqual({ artifact_name: "new" });
    expect((await files.status(STORE))?.mode).toBe(0o600);
  });

  it("stays as it was when a save fails, and keeps nothing of the caller's objects", async () => {
    const files = new MemoryFiles();
    const store = await DeviceStore.open(files, DATASTORE, noopLogger);
    const update = newRecord(ORIGIN, 0);
    await store.save({ update });
    update.visits = 7;
    expect(store.update?.visits).toBe(0);
    files.refuse = () => true;
    await expect(store.save({ update })).rejects.toThrow("no space left on device");
    expect(store.update?.visits).toBe(0);
    expect((await DeviceStore.open(files, DATASTORE, noopLogger)).update?.visits).toBe(0);
    expect(files.below(DATASTORE)).toEqual([STORE, `${STORE}.spare`]);
  });

  const broken = {
    "text that is not JSON": ["{ half", "it is not JSON"],
    "a newer version": ['{"version": 2, "provides": null, "update": null}', "version"],
    "a state that there is not": [
      JSON.stringify({
        version: 1,
        provides: null,
        update: { ...z.encode(JournalRecord, newRecord(ORIGIN, 0)), state: "Dancing" },
      }),
      "update",
    ],
    nothing: ["", "it is not JSON"],
  };
  for (const [name, [content = "", why]] of Object.entries(broken)) {
    it(`is put aside if it holds ${name}, and the artifact is unknown`, async () => {
      const files = new MemoryFiles();
      files.put(STORE, content);
      const logged: string[] = [];
      const store = await DeviceStore.open(files, DATASTORE, { ...noopLogger, error: (line) => logged.push(line) });
      expect(store.provides).toBeUndefined();
      expect(files.text(`${STORE}-broken`)).toBe(content);
      expect(logged).toEqual([expect.stringContaining(`cannot be used (${why}`)]);
      await store.save({ provides: { artifact_name: "next" } });
      expect((await DeviceStore.open(files, DATASTORE, noopLogger)).provides).toEqual({ artifact_name: "next" });
    });
  }
});

describe("what a device provides", () => {
  const before = { artifact_name: "old", artifact_group: "alpha", "x.version": "1", "x.colour": "red", kept: "1" };

  it("is, after a commit, what is kept and what is new", () => {
    expect(committedProvides(before, artifact)).toEqual({
      artifact_name: "new",
      artifact_group: "beta",
      "x.version": "2",
      kept: "1",
    });
  });

  it("is what it was under another name, if nobody knows what is installed", () => {
    expect(inconsistentProvides(before, artifact, false)).toEqual({
      ...before,
      artifact_name: "new_INCONSISTENT",
      artifact_group: "beta",
    });
    expect(inconsistentProvides(before, artifact, true)).toMatchObject({
      artifact_name: "new_INCONSISTENT",
      "x.version": "2",
    });
  });
});
