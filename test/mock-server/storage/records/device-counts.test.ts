import { expect, inject, test } from "vitest";
import { type Records, Snapshots, Storage } from "../../../../mock-server/storage/index.ts";
import { NodeFiles } from "../../../../mock-server/system/files.ts";
import { fc } from "../../../support/fast-check.ts";
import { makeRecords, RECORDS_KIND } from "../../records-fixture.ts";
import { deviceRecord } from "../device-record.ts";

const STATUSES = ["pending", "accepted", "rejected"] as const;
const TIERS = ["standard", "micro"] as const;
const GROUPS = ["kitchen", "roof"] as const;

interface Model {
  readonly status: (typeof STATUSES)[number];
  readonly tier: (typeof TIERS)[number];
  readonly group: string | null;
}

const id = fc.constantFrom("d1", "d2", "d3", "d4");
const change = fc.oneof(
  fc.record({ kind: fc.constant("insert" as const), id, group: fc.option(fc.constantFrom(...GROUPS)) }),
  fc.record({
    kind: fc.constant("standing" as const),
    id,
    status: fc.constantFrom(...STATUSES),
    tier: fc.constantFrom(...TIERS),
  }),
  fc.record({ kind: fc.constant("group" as const), id, group: fc.option(fc.constantFrom(...GROUPS)) }),
  fc.record({ kind: fc.constant("clear" as const), group: fc.constantFrom(...GROUPS) }),
  fc.record({ kind: fc.constant("delete" as const), id }),
  fc.record({ kind: fc.constant("check-in" as const), id }),
);

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** Make the change, in the records and in the model of them. */
async function apply(what: Change, { devices }: Records, model: Map<string, Model>): Promise<void> {
  if (what.kind === "clear") {
    await devices.clearGroup(what.group);
    for (const [one, device] of model) if (device.group === what.group) model.set(one, { ...device, group: null });
    return;
  }
  const known = model.get(what.id);
  switch (what.kind) {
    case "insert":
      if (known !== undefined) return;
      await devices.insert({ ...deviceRecord(what.id), group_name: what.group });
      model.set(what.id, { status: "pending", tier: "standard", group: what.group });
      return;
    case "delete":
      await devices.delete(what.id);
      model.delete(what.id);
      return;
    case "check-in":
      await devices.checkIn(what.id, 5);
      return;
    case "standing":
      await devices.setStanding(what.id, what, 2);
      if (known !== undefined) model.set(what.id, { ...known, status: what.status, tier: what.tier });
      return;
    case "group":
      await devices.setGroup([what.id], what.group);
      if (known !== undefined) model.set(what.id, { ...known, group: what.group });
  }
}

async function expectCounts(storage: Storage, model: ReadonlyMap<string, Model>): Promise<void> {
  const first = { page: 1, perPage: 1 };
  const expected = (of: (device: Model) => boolean) => [...model.values()].filter(of).length;
  await storage.read(async ({ devices }) => {
    expect(await devices.count(undefined)).toBe(model.size);
    expect((await devices.list({}, first)).total).toBe(model.size);
    const byTier = await devices.countsByTier();
    for (const status of STATUSES) {
      for (const tier of TIERS) {
        const found = byTier.find((one) => one.status === status && one.tier === tier)?.count ?? 0;
        expect(found, `${status}, ${tier}`).toBe(expected((one) => one.status === status && one.tier === tier));
      }
    }
    for (const status of STATUSES) {
      expect(await devices.count(status), status).toBe(expected((one) => one.status === status));
      const others = STATUSES.filter((one) => one !== status);
      expect((await devices.list({ statuses: others }, first)).total).toBe(expected((one) => one.status !== status));
      for (const group of GROUPS) {
        const { total } = await devices.page({ status, group }, first);
        expect(total, `${status}, ${group}`).toBe(expected((one) => one.status === status && one.group === group));
      }
    }
    for (const group of GROUPS)
      expect((await devices.page({ group }, first)).total, group).toBe(expected((one) => one.group === group));
    const ids = ["d1", "d2"];
    const present = ids.filter((one) => model.has(one)).length;
    expect((await devices.list({ ids }, first)).total).toBe(present);
    expect((await devices.page({ ids }, first)).total).toBe(present);
  });
}

test("as many devices are counted as there are, whatever became of them", async () => {
  const records = await makeRecords(RECORDS_KIND, inject("postgresUrl"));
  const storage = await Storage.open(records.location, new NodeFiles());
  const snapshots = new Snapshots(storage);
  const empty = await snapshots.take();
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 30 }), fc.array(change, { maxLength: 10 }), async (some, more) => {
      await snapshots.restore(empty);
      const model = new Map<string, Model>();
      const applyAll = (changes: typeof some) =>
        storage.transaction(async (all) => {
          for (const one of changes) await apply(one, all, model);
        });
      await applyAll(some);
      await expectCounts(storage, model);

      const before = await snapshots.take();
      const remembered = new Map(model);
      await applyAll(more);
      await expectCounts(storage, model);
      await snapshots.restore(before);
      await expectCounts(storage, remembered);
    }),
    { numRuns: 30 },
  );
  await storage.close();
  await records.remove();
});
