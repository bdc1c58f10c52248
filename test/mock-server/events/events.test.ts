import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { DATABASE_FILE } from "../../../mock-server/storage/index.ts";
import { acceptedDevices, openTestDomain } from "../domain-fixture.ts";

test("of events the newest hundred thousand are kept, whoever writes them", async () => {
  const directory = mkdtempSync(join(tmpdir(), "upkeep-events-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const { domain } = await openTestDomain({}, { directory });
  expect(await domain.events.last()).toBe(0);
  expect(await domain.events.reaches(0)).toBe(true);
  await domain.close();

  const sqlite = new SqliteDatabase(join(directory, DATABASE_FILE));
  sqlite.exec(`
    with recursive n (value) as (select 1 union all select value + 1 from n where value < 101999)
    insert into events (kind, action, subject) select 'device', 'changed', value from n`);
  sqlite.close();

  const again = await openTestDomain({}, { directory });
  const { events, filters } = again.domain;
  expect(await events.reaches(1000)).toBe(true);
  expect(await events.reaches(999)).toBe(false);
  await filters.create("large", [{ scope: "inventory", attribute: "memory", type: "$gt", value: 1 }]);
  expect(await events.last()).toBe(102_000);
  expect(await events.reaches(2000)).toBe(true);
  expect(await events.reaches(1999)).toBe(false);
  expect(await events.after(101_999, 10)).toEqual([
    { number: 102_000, kind: "filter", action: "created", subject: expect.any(String), related: "large" },
  ]);
  await again.domain.close();
});

test("records in memory can be kept without events, and have the same content", async () => {
  const changed = async (location: { readonly memory: true; readonly events?: boolean }) => {
    const { domain } = await openTestDomain({ autoAccept: true }, location);
    onTestFinished(() => domain.close());
    const [id = ""] = await acceptedDevices(domain, 1);
    await domain.inventory.replace(id, [{ name: "memory", value: 1 }]);
    const { attributes } = await domain.inventory.get(id);
    return { events: await domain.events.last(), attributes: attributes.map(({ name }) => name) };
  };
  const withEvents = await changed({ memory: true });
  expect(withEvents.events).toBeGreaterThan(3);
  expect(await changed({ memory: true, events: false })).toEqual({ ...withEvents, events: 0 });
});
