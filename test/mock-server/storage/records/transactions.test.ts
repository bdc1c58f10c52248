import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { type Records, Storage } from "../../../../mock-server/storage/index.ts";
import { NodeFiles } from "../../../../mock-server/system/files.ts";
import { makeRecords, RECORDS_KIND, type TestRecords } from "../../records-fixture.ts";
import { deviceRecord } from "../device-record.ts";

const files = new NodeFiles();

/** A promise that is kept from outside. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe("A transaction", () => {
  let records: TestRecords;
  let storage: Storage;
  beforeEach(async () => {
    records = await makeRecords(RECORDS_KIND, inject("postgresUrl"));
    storage = await Storage.open(records.location, files);
  });
  afterEach(async () => {
    await storage.close();
    await records.remove();
  });

  test("leaves nothing behind when it fails, and the next one works", async () => {
    const failed = storage.transaction(async ({ devices }) => {
      await devices.insert(deviceRecord("d1"));
      throw new Error("half way");
    });
    await expect(failed).rejects.toThrow("half way");
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(0);
    await storage.transaction(({ devices }) => devices.insert(deviceRecord("d1")));
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(1);
  });

  test("lets no other write or read come between its statements", async () => {
    const { opened, open } = gate();
    const seen: string[] = [];
    const first = storage.transaction(async ({ devices }) => {
      await devices.insert(deviceRecord("d1"));
      await opened;
      seen.push(`first sees ${await devices.count(undefined)}`);
      await devices.delete("d1");
    });
    const others = Promise.all([
      storage.transaction(async ({ devices }) => {
        seen.push(`second sees ${await devices.count(undefined)}`);
        await devices.insert(deviceRecord("d2"));
      }),
      storage.read(async ({ devices }) => seen.push(`reader sees ${await devices.find("d1")}`)),
    ]);
    open();
    await Promise.all([first, others]);
    expect(seen.filter((line) => !line.startsWith("reader"))).toEqual(["first sees 1", "second sees 0"]);
    // It may have read before the first one or after it, and never in the middle.
    expect(seen).toContain("reader sees undefined");
  });

  test("that only reads cannot leave anything behind", async () => {
    await Promise.allSettled([storage.read(({ devices }) => devices.insert(deviceRecord("d1")))]);
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(0);
  });

  test("that fails takes nothing with it of those that were asked for at the same time", async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 200 }, (_, index) =>
        storage.transaction(async ({ devices }) => {
          await devices.insert(deviceRecord(`d${index}`));
          if (index % 2 === 1) throw new Error("odd");
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(
      answers.map((_, index) => (index % 2 === 0 ? "fulfilled" : "rejected")),
    );
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(100);
  });

  test("that breaks a statement goes on if it can do without", async () => {
    await storage.transaction(({ devices }) => devices.insert(deviceRecord("d1")));
    await expect(storage.transaction(({ devices }) => devices.insert(deviceRecord("d1")))).rejects.toThrow(/unique/i);
    await storage.transaction(({ devices }) => devices.insert(deviceRecord("d2")));
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(2);
  });

  test("counts exactly, however many count at the same time", async () => {
    const drawn = await Promise.all(
      Array.from({ length: 100 }, () => storage.transaction(({ deployments }) => deployments.nextSequence())),
    );
    expect(drawn.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  test("whose records are used after its end, committed or not, fails loudly and leaves nothing behind", async () => {
    const kept: Records[] = [];
    await storage.transaction(async (leaked) => void kept.push(leaked));
    const failed = storage.transaction(async (leaked) => {
      kept.push(leaked);
      throw new Error("rolled back");
    });
    await expect(failed).rejects.toThrow("rolled back");
    await storage.read(async (leaked) => void kept.push(leaked));
    const one = "the records of a transaction were used after its end";
    for (const records of kept) {
      // Through Kysely, as a prepared statement, and as a statement of a pipeline.
      await expect(records.devices.setTagsEtag("d1", "e")).rejects.toThrow(one);
      await expect(records.devices.insert(deviceRecord("d1"))).rejects.toThrow(one);
      await expect(records.deviceDeployments.update({ deployment_id: "n", device_id: "d1" }, {})).rejects.toThrow(one);
      await storage.transaction(async () => {
        await expect(records.devices.insert(deviceRecord("d1"))).rejects.toThrow(one);
      });
    }
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(0);
  });

  // SQLite has finished a statement as soon as it was sent.
  test.runIf(RECORDS_KIND === "postgres")("does not end before its statements", async () => {
    let late: Promise<unknown> | undefined;
    const early = storage.transaction(async ({ devices }) => {
      late = devices.insert(deviceRecord("d1"));
    });
    await expect(early).rejects.toThrow("a transaction ended before its statements");
    await Promise.allSettled([late]);
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(0);
  });

  test("is refused once the records are closed", async () => {
    await storage.close();
    await expect(storage.transaction(() => Promise.resolve())).rejects.toThrow("closed");
    await expect(storage.read(() => Promise.resolve())).rejects.toThrow("closed");
  });

  test.skipIf(RECORDS_KIND === "memory")(
    "that is under way, or waits for one, is finished before the database is closed",
    async () => {
      const { opened, open } = gate();
      const underWay = storage.transaction(async ({ devices }) => {
        await opened;
        await devices.insert(deviceRecord("d1"));
      });
      const waiting = storage.transaction(({ devices }) => devices.insert(deviceRecord("d2")));
      // More than there are connections.
      const ofDevices = Array.from({ length: 100 }, (_, n) =>
        storage.deviceTransaction(`other ${n}`, ({ devices }) => devices.insert(deviceRecord(`other ${n}`))),
      );
      const closed = storage.close();
      open();
      await Promise.all([underWay, waiting, ...ofDevices, closed]);
      storage = await Storage.open(records.location, files);
      expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(102);
    },
  );

  test("of a device waits for another one of it, and sees what that has committed", async () => {
    await storage.transaction(({ devices }) => devices.insert(deviceRecord("d1")));
    const seen = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        storage.deviceTransaction("d1", async ({ devices }) => {
          const before = (await devices.find("d1"))?.tags_etag ?? "0";
          await devices.setTagsEtag("d1", String(Number(before) + 1));
          return `${n}`;
        }),
      ),
    );
    expect(seen).toHaveLength(50);
    expect((await storage.read(({ devices }) => devices.find("d1")))?.tags_etag).toBe("50");
  });

  test("that breaks a rule of the tables fails whole", async () => {
    const broken = storage.transaction(async ({ devices, authSets }) => {
      await devices.insert(deviceRecord("d1"));
      await authSets.insert({
        id: "s1",
        device_id: "none",
        public_key: "k",
        tier: "standard",
        key_and_tier_sha256: "k",
        status: "pending",
        token_generation: 1,
        created_ms: 1,
      });
    });
    await expect(broken).rejects.toThrow(/foreign key/i);
    expect(await storage.read(({ devices }) => devices.count(undefined))).toBe(0);
  });
});
