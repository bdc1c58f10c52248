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

  test("is at most a hundred attributes; those that are too many are left out, and told of", async () => {
    const { inventory } = opened.domain;
    const many = Array.from({ length: 101 }, (_, index) => ({ name: `n${index}`, value: index }));
    expect(await inventory.replace(device, many.slice(0, 100))).toEqual([]);
    expect(await inventory.replace(device, many)).toEqual(['"n100": a device has at most 100 attributes']);
    expect(Object.keys(await told())).toHaveLength(100);
    const more = [
      { name: "one more", value: 1 },
      { name: "n1", value: -1 },
    ];
    expect(await inventory.merge(device, more)).toEqual(['"one more": a device has at most 100 attributes']);
    expect(await told()).toMatchObject({ n0: 0, n1: -1 });
    expect(await told()).not.toHaveProperty("one more");
  });

  test("is kept by every engine, whatever its letters are and however many bytes they take", async () => {
    const { inventory } = opened.domain;
    const wide = Array.from({ length: 600 }, (_, index) => String.fromCharCode(0x4e00 + index * 7)).join("");
    const leftOut = await inventory.replace(device, [
      { name: "a\0b", value: "c\0d", description: "e\0f" },
      { name: "g\ud800", value: ["\udfff"] },
      { name: wide, value: wide },
      { name: wide + wide.slice(0, 424), value: "too wide for an index" },
      { name: "a\ufffdb", value: "of two names that become the same the last counts" },
    ]);
    expect(leftOut).toEqual([expect.stringContaining("must have at most 2048 bytes")]);
    expect(await told()).toEqual({
      "a\ufffdb": "of two names that become the same the last counts",
      "g\ufffd": ["\ufffd"],
      [wide]: wide,
    });
  });

  test("is told of once by the device, as long as something is left out", async () => {
    const { inventory } = opened.domain;
    const note = async () =>
      (await inventory.get(device)).attributes.find(({ name }) => name === "inventory_left_out")?.value;
    await inventory.replace(device, [{ name: "", value: "1" }]);
    expect(await note()).toEqual(['no. 1: the name "" must have 1 to 1024 characters']);
    await inventory.merge(device, [{ name: "a", value: "1" }]);
    expect(await note()).toHaveLength(1);
    await inventory.replace(
      device,
      Array.from({ length: 60 }, () => ({ name: "", value: "1" })),
    );
    expect(await note()).toHaveLength(20);
    await inventory.replace(device, [{ name: "a", value: "1" }]);
    expect(await note()).toBeUndefined();
    await inventory.replace(device, [null]);
    await inventory.clear(device);
    expect(await note()).toBeUndefined();
  });

  test("is refused for a device that is gone", async () => {
    await expect(opened.domain.inventory.merge("gone", [{ name: "a", value: 1 }])).rejects.toMatchObject({
      kind: "unauthorized",
    });
    await expect(opened.domain.inventory.replace("gone", [])).rejects.toMatchObject({ kind: "unauthorized" });
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
    ["system", "tier", "standard"],
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
