import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AttributeScope, Domain } from "../../../mock-server/domain.ts";
import { acceptedDevices, openTestDomain } from "../domain-fixture.ts";

let domain: Domain;
let devices: string[];
beforeEach(async () => {
  domain = (await openTestDomain({ autoAccept: true })).domain;
  devices = await acceptedDevices(domain, 4);
  const [one = "", two = "", three = ""] = devices;
  await domain.inventory.replace(one, [
    { name: "board", value: "Pi 4" },
    { name: "nets", value: ["eth0", "wlan0"] },
  ]);
  await domain.inventory.replace(two, [
    { name: "board", value: "pi 5" },
    { name: "nets", value: ["eth0"] },
    { name: "memory", value: 512 },
  ]);
  await domain.inventory.replace(three, [{ name: "board", value: "pi 5" }]);
  await domain.groups.assign(one, "lab");
});
afterEach(() => domain.close());

const values = async (scope: AttributeScope, name: string, prefix = "") => {
  const found = await domain.inventory.values({ scope, name }, prefix);
  expect(found.total).toBe(found.values.length);
  return found.values.map(({ value, count }) => [value, count]);
};

describe("The values of an attribute", () => {
  test("are counted, the most frequent first, and found by their beginning in any case", async () => {
    expect(await values("inventory", "board")).toEqual([
      ["pi 5", 2],
      ["Pi 4", 1],
    ]);
    expect(await values("inventory", "board", "PI 4")).toEqual([["Pi 4", 1]]);
    expect(await values("inventory", "memory")).toEqual([[512, 1]]);
    expect(await values("inventory", "nothing")).toEqual([]);
    expect(await values("identity", "mac", "02:00:00:00:00:3")).toEqual([["02:00:00:00:00:3", 1]]);
  });

  test("of a list are its elements", async () => {
    expect(await values("inventory", "nets")).toEqual([
      ["eth0", 2],
      ["wlan0", 1],
    ]);
  });

  test("that the server derives are counted if they are few", async () => {
    expect(await values("identity", "status")).toEqual([["accepted", 4]]);
    expect(await values("system", "group")).toEqual([["lab", 1]]);
    expect(await values("system", "tier")).toEqual([["standard", 4]]);
    await expect(values("system", "created_ts")).rejects.toMatchObject({ kind: "invalid" });
  });
});

test("Devices that meet conditions are counted without listing them", async () => {
  const board = { scope: "inventory", attribute: "board", type: "$eq", value: "pi 5" } as const;
  expect(await domain.inventory.count({ terms: [board] })).toBe(2);
  expect(await domain.inventory.count({ terms: [] })).toBe(4);
  expect(await domain.inventory.count({ text: "WLAN" })).toBe(1);
  expect(await domain.inventory.count({ terms: [board], ids: devices.slice(0, 2) })).toBe(1);
});
