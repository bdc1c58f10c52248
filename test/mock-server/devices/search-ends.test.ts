import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@upkeep/shared/logging";
import { expect, inject, onTestFinished, test } from "vitest";
import { Inventory } from "../../../mock-server/devices/index.ts";
import { composeServer, DEFAULT_OPTIONS, openFileBlobs } from "../../../mock-server/index.ts";
import { Storage } from "../../../mock-server/storage/index.ts";
import { NodeFiles } from "../../../mock-server/system/files.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { openTestDomain } from "../domain-fixture.ts";
import { makeRecords, RECORDS_KIND } from "../records-fixture.ts";
import { deviceRecord } from "../storage/device-record.ts";

/** Patterns are matched with a hundred devices per read. */
const DEVICES = 500;
/** The second read of devices: the first read plans the search. */
const LEAVES_IN = 3;

interface Event {
  readonly happened: Promise<void>;
  happen(): void;
}

function event(): Event {
  let happen: () => void = () => undefined;
  const happened = new Promise<void>((resolve) => {
    happen = resolve;
  });
  return { happened, happen: () => happen() };
}

/** The records, with something that happens before each read. */
function watched(storage: Storage, beforeRead: () => Promise<void>): Storage {
  return new Proxy(storage, {
    get(target, name) {
      const read: Storage["read"] = async (work) => {
        await beforeRead();
        return await target.read(work);
      };
      if (name === "read") return read;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("A search ends when its client leaves", async () => {
  const kind = RECORDS_KIND === "memory" ? "file" : RECORDS_KIND;
  const { location, remove } = await makeRecords(kind, kind === "postgres" ? inject("postgresUrl") : undefined);
  const { domain, system } = await openTestDomain({}, location);
  await domain.users.ensureAdministrator("admin@example.com", "a long password");
  const token = await domain.users.login("admin@example.com", "a long password");
  const storage = await Storage.open(location, new NodeFiles());
  await storage.transaction(async ({ devices }) => {
    for (let index = 0; index < DEVICES; index += 1) await devices.insert(deviceRecord(`d${index}`));
  });

  const [reading, left, ended] = [event(), event(), event()];
  let reads = 0;
  const real = new Inventory(
    watched(storage, async () => {
      reads += 1;
      if (reads !== LEAVES_IN) return;
      reading.happen();
      await left.happened;
    }),
    system.clock,
  );
  let outcome: unknown;
  const inventory = Object.create(real, {
    search: {
      value: async (...given: Parameters<Inventory["search"]>) => {
        try {
          return await real.search(...given);
        } catch (error) {
          outcome = error;
          throw error;
        } finally {
          ended.happen();
        }
      },
    },
  }) as Inventory;

  const folder = mkdtempSync(join(tmpdir(), "upkeep-search-"));
  const logLines: string[] = [];
  const composed = await composeServer(openSystem(), {
    ...DEFAULT_OPTIONS,
    data: { domain: { ...domain, inventory }, blobs: await openFileBlobs(new NodeFiles(), join(folder, "artifacts")) },
    logger: createLogger({
      level: "debug",
      format: "json",
      write: (line) => logLines.push(line),
      now: system.clock.now,
    }),
    housekeeping: "off",
  });
  const server = createServer(composed.listener).listen(0, "127.0.0.1");
  server.on("connection", (socket: Socket) => socket.once("close", () => left.happen()));
  onTestFinished(async () => {
    await new Promise((resolve) => server.close(resolve));
    await composed.close();
    await domain.close();
    await storage.close();
    await remove();
    rmSync(folder, { recursive: true });
  });
  await new Promise((resolve) => server.once("listening", resolve));

  const client = request({
    port: (server.address() as AddressInfo).port,
    method: "POST",
    path: "/api/management/v2/inventory/filters/search",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  });
  client.on("error", () => undefined);
  client.end(JSON.stringify({ filters: [{ scope: "system", attribute: "created_ts", type: "$regex", value: "2" }] }));
  await reading.happened;
  client.destroy();
  await ended.happened;
  expect(outcome).toMatchObject({ status: 499 });
  expect(reads).toBe(LEAVES_IN);
  expect(logLines.filter((line) => line.includes('"error"'))).toEqual([]);
});
