import { afterEach, describe, expect, test } from "vitest";
import type { AuthStatus, Domain, SettableStatus } from "../../../mock-server/domain.ts";
import { openTestDomain, TestDevice, type TestDomain } from "../domain-fixture.ts";

const open: TestDomain[] = [];
afterEach(async () => {
  for (const { domain } of open.splice(0)) await domain.close();
});

async function start(): Promise<TestDomain> {
  const opened = await openTestDomain();
  open.push(opened);
  return opened;
}

const PAGE = { page: 1, perPage: 20 };
const KEY = new TestDevice("{}").publicKey;

/** A device that asked once, with its only key. */
async function known(domain: Domain, idData: string): Promise<{ readonly id: string; readonly authSet: string }> {
  await domain.authentication.authorize(new TestDevice(idData).request()).catch(() => undefined);
  const { items } = await domain.devices.list({}, { page: 1, perPage: 500 });
  const device = items.find(({ identityData }) => JSON.stringify(identityData) === idData);
  return { id: device?.id ?? "", authSet: device?.authSets[0]?.id ?? "" };
}

describe("The status of a key", () => {
  const ALLOWED: readonly (readonly [AuthStatus, SettableStatus])[] = [
    ["pending", "accepted"],
    ["rejected", "accepted"],
    ["accepted", "rejected"],
    ["pending", "rejected"],
    ["accepted", "pending"],
    ["rejected", "pending"],
    ["pending", "pending"],
    ["accepted", "accepted"],
    ["rejected", "rejected"],
  ];

  test.each(ALLOWED)("can go from %s to %s, and the device's with it", async (from, to) => {
    const { domain } = await start();
    const { id, authSet } = await known(domain, '{"mac":"1"}');
    if (from !== "pending" && from !== "preauthorized") await domain.devices.setAuthSetStatus(id, authSet, from);
    await domain.devices.setAuthSetStatus(id, authSet, to);
    expect(await domain.devices.authSetStatus(id, authSet)).toBe(to);
    expect((await domain.devices.get(id)).status).toBe(to);
  });

  test.each(["accepted", "rejected", "pending"] as const)("cannot go from preauthorized to %s", async (to) => {
    const { domain } = await start();
    const id = await domain.devices.preauthorize({ mac: "1" }, KEY);
    const authSet = (await domain.devices.get(id)).authSets[0]?.id ?? "";
    await expect(domain.devices.setAuthSetStatus(id, authSet, to)).rejects.toMatchObject({
      kind: "invalid",
      details: { from: "preauthorized", to },
    });
  });

  test("of another device, or of none, is not found", async () => {
    const { domain } = await start();
    const one = await known(domain, '{"mac":"1"}');
    const two = await known(domain, '{"mac":"2"}');
    for (const [device, authSet] of [
      [one.id, two.authSet],
      [one.id, "none"],
      ["none", one.authSet],
    ] as const) {
      await expect(domain.devices.authSetStatus(device, authSet)).rejects.toMatchObject({ kind: "not-found" });
      await expect(domain.devices.setAuthSetStatus(device, authSet, "accepted")).rejects.toMatchObject({
        kind: "not-found",
      });
      await expect(domain.devices.deleteAuthSet(device, authSet)).rejects.toMatchObject({ kind: "not-found" });
    }
    await expect(domain.devices.revokeTokens("none")).rejects.toMatchObject({ kind: "not-found" });
  });
});

test("A device without a key left is noauth; one that was only announced is gone", async () => {
  const { domain } = await start();
  const { id, authSet } = await known(domain, '{"mac":"1"}');
  await domain.devices.deleteAuthSet(id, authSet);
  expect(await domain.devices.get(id)).toMatchObject({ status: "noauth", authSets: [] });
  const announced = await domain.devices.preauthorize({ mac: "2" }, KEY);
  const key = (await domain.devices.get(announced)).authSets[0]?.id ?? "";
  await domain.devices.deleteAuthSet(announced, key);
  await expect(domain.devices.get(announced)).rejects.toMatchObject({ kind: "not-found" });
});

test("An announced identity that is known already is refused, and the known device told", async () => {
  const { domain } = await start();
  const { id } = await known(domain, '{"mac":"1"}');
  await expect(domain.devices.preauthorize({ mac: "1" }, KEY)).rejects.toMatchObject({
    kind: "conflict",
    details: { device: { id } },
  });
  await expect(domain.devices.preauthorize({ mac: "2" }, "junk")).rejects.toMatchObject({ kind: "invalid" });
  await expect(domain.devices.preauthorize("text", KEY)).rejects.toMatchObject({ kind: "invalid" });
});

test("Devices are listed by status and id, filtered, by pages, and counted", async () => {
  const { domain } = await start();
  const devices = [];
  for (let index = 0; index < 5; index += 1) devices.push(await known(domain, `{"mac":"${index}"}`));
  for (const { id, authSet } of devices.slice(0, 2)) await domain.devices.setAuthSetStatus(id, authSet, "accepted");
  const accepted = devices.slice(0, 2).map(({ id }) => id);
  const pending = devices.slice(2).map(({ id }) => id);
  const expected = [...accepted.sort(), ...pending.sort()];
  const ids = async (filter: Parameters<typeof domain.devices.list>[0], paging = PAGE) =>
    (await domain.devices.list(filter, paging)).items.map(({ id }) => id);
  expect(await ids({})).toEqual(expected);
  expect(await ids({}, { page: 2, perPage: 2 })).toEqual(expected.slice(2, 4));
  expect((await domain.devices.list({}, { page: 9, perPage: 2 })).total).toBe(5);
  expect(await ids({ statuses: ["accepted", "rejected"] })).toEqual(accepted);
  expect(await ids({ ids: [...pending, "none"] })).toEqual(pending);
  expect(await ids({ statuses: ["accepted"], ids: pending })).toEqual([]);
  expect(await ids({ ids: [] })).toEqual([]);
  expect(await domain.devices.count()).toBe(5);
  expect(await domain.devices.count("accepted")).toBe(2);
  expect(await domain.devices.count("noauth")).toBe(0);
});

test("A decommissioned device is forgotten, and a new one when it asks again", async () => {
  const { domain } = await start();
  const device = new TestDevice('{"mac":"1"}');
  const attempt = () => domain.authentication.authorize(device.request()).catch(() => undefined);
  await attempt();
  const [before] = (await domain.devices.list({}, PAGE)).items;
  await domain.inventory.merge(before?.id ?? "", [{ name: "kernel", value: "6" }]);
  await domain.devices.decommission(before?.id ?? "");
  await expect(domain.devices.get(before?.id ?? "")).rejects.toMatchObject({ kind: "not-found" });
  await expect(domain.inventory.get(before?.id ?? "")).rejects.toMatchObject({ kind: "not-found" });
  await expect(domain.devices.decommission(before?.id ?? "")).rejects.toMatchObject({ kind: "not-found" });
  await attempt();
  const [after] = (await domain.devices.list({}, PAGE)).items;
  expect(after?.status).toBe("pending");
  expect(after?.id).not.toBe(before?.id);
});
