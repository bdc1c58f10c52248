import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { acceptedDevices, openTestDomain, type TestDomain } from "../domain-fixture.ts";

let opened: TestDomain;
let device: string;
beforeEach(async () => {
  opened = await openTestDomain({ autoAccept: true });
  [device = ""] = await acceptedDevices(opened.domain, 1);
});
afterEach(() => opened.domain.close());

async function told(): Promise<Record<string, unknown>> {
  const { attributes } = await opened.domain.inventory.get(device);
  return Object.fromEntries(
    attributes.filter(({ scope }) => scope === "inventory").map(({ name, value }) => [name, value]),
  );
}

describe("What a device tells of itself", () => {
  test("is replaced as a whole, or merged name by name", async () => {
    const { inventory } = opened.domain;
    await inventory.replace(device, [
      { name: "kernel", value: "6.1" },
      { name: "cpus", value: 4 },
    ]);
    await inventory.merge(device, [
      { name: "cpus", value: 8, description: "logical" },
      { name: "mac", value: ["a", "b"] },
    ]);
    expect(await told()).toEqual({ kernel: "6.1", cpus: 8, mac: ["a", "b"] });
    const { attributes } = await inventory.get(device);
    expect(attributes.find(({ name }) => name === "cpus")?.description).toBe("logical");
    await inventory.replace(device, [{ name: "empty", value: "" }]);
    expect(await told()).toEqual({ empty: "" });
    await inventory.replace(device, []);
    expect(await told()).toEqual({});
  });

  test("of a name that comes twice is the last", async () => {
    await opened.domain.inventory.merge(device, [
      { name: "a", value: "1" },
      { name: "a", value: "2" },
    ]);
    expect(await told()).toEqual({ a: "2" });
  });

  test("is at most a hundred attributes; more are refused and change nothing", async () => {
    const { inventory } = opened.domain;
    const many = Array.from({ length: 101 }, (_, index) => ({ name: `n${index}`, value: index }));
    await inventory.replace(device, many.slice(0, 100));
    const limit = {
      status: 400,
      message: expect.stringContaining("the number of attributes in the scope is above the limit"),
    };
    await expect(inventory.replace(device, many)).rejects.toMatchObject(limit);
    await expect(inventory.merge(device, [{ name: "one more", value: 1 }])).rejects.toMatchObject(limit);
    await inventory.merge(device, [{ name: "n1", value: -1 }]);
    expect(Object.keys(await told())).toHaveLength(100);
    expect(await told()).toMatchObject({ n0: 0, n1: -1 });
  });

  test("is refused for a device that is gone", async () => {
    await expect(opened.domain.inventory.merge("gone", [{ name: "a", value: 1 }])).rejects.toMatchObject({
      status: 401,
    });
    await expect(opened.domain.inventory.replace("gone", [])).rejects.toMatchObject({ status: 401 });
  });
});

test("The inventory tells the identity, the status and what the server knows, by scope and name", async () => {
  const { domain, system } = opened;
  const created = system.nowMs;
  system.nowMs += 5000;
  await domain.inventory.merge(device, [{ name: "mac", value: "told" }]);
  const { attributes, updatedMs } = await domain.inventory.get(device);
  expect(attributes.map(({ scope, name, value }) => [scope, name, value])).toEqual([
    ["identity", "mac", "02:00:00:00:00:0"],
    ["identity", "status", "accepted"],
    ["inventory", "mac", "told"],
    ["system", "check_in_time", new Date(created).toISOString()],
    ["system", "created_ts", new Date(created).toISOString()],
    ["system", "updated_ts", new Date(system.nowMs).toISOString()],
  ]);
  expect(updatedMs).toBe(system.nowMs);
});

test("Inventories are listed by pages", async () => {
  const { domain } = opened;
  const { items, total } = await domain.inventory.list({ page: 1, perPage: 20 });
  expect(items).toEqual([await domain.inventory.get(device)]);
  expect(total).toBe(1);
});
