import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { acceptedDevices, openTestDomain, TestDevice, type TestDomain } from "../domain-fixture.ts";

let opened: TestDomain;
beforeEach(async () => {
  opened = await openTestDomain({ autoAccept: true });
});
afterEach(() => opened.domain.close());

describe("The limit of accepted devices", () => {
  test("lets no more in, by hand or by themselves, and leaves those that are in", async () => {
    const { devices, authentication } = opened.domain;
    expect(await devices.limit()).toBeUndefined();
    const [first = ""] = await acceptedDevices(opened.domain, 2);
    await devices.setLimit(1);
    const late = new TestDevice('{"mac":"late"}');
    await expect(authentication.authorize(late.request())).rejects.toMatchObject({ kind: "unauthorized" });
    expect(await devices.count("accepted")).toBe(2);
    const [pending] = (await devices.list({ statuses: ["pending"] }, { page: 1, perPage: 20 })).items;
    const accept = () => devices.setAuthSetStatus(pending?.id ?? "", pending?.authSets[0]?.id ?? "", "accepted");
    await expect(accept()).rejects.toMatchObject({
      kind: "unprocessable",
      code: "device-limit-reached",
    });
    await devices.decommission(first);
    await expect(accept()).rejects.toMatchObject({ kind: "unprocessable" });
    await devices.setLimit(2);
    await accept();
    await devices.setLimit(undefined);
    expect(await devices.limit()).toBeUndefined();
    await expect(devices.setLimit(-1)).rejects.toMatchObject({ kind: "invalid" });
  });

  test("keeps a preauthorized device waiting", async () => {
    const { devices, authentication } = opened.domain;
    await devices.setLimit(0);
    const device = new TestDevice('{"mac":"pre"}');
    await devices.preauthorize({ mac: "pre" }, device.publicKey);
    await expect(authentication.authorize(device.request())).rejects.toMatchObject({ kind: "unauthorized" });
    await devices.setLimit(1);
    await authentication.authorize(device.request());
  });

  test("is kept by many that come at the same time", async () => {
    const { devices, authentication } = opened.domain;
    await devices.setLimit(3);
    const comers = Array.from({ length: 8 }, (_, index) => new TestDevice(`{"mac":"${index}"}`));
    await Promise.allSettled(comers.map((device) => authentication.authorize(device.request())));
    expect(await devices.count("accepted")).toBe(3);
  });
});

describe("To preauthorize a device that is known", () => {
  test("adds the key if it is forced, once", async () => {
    const { devices, authentication } = opened.domain;
    const [id = ""] = await acceptedDevices(opened.domain, 1);
    const other = new TestDevice('{"mac":"02:00:00:00:00:0"}');
    const identity = { mac: "02:00:00:00:00:0" };
    await expect(devices.preauthorize(identity, other.publicKey)).rejects.toMatchObject({ kind: "conflict" });
    expect(await devices.preauthorize(identity, other.publicKey, { force: true })).toBe(id);
    await expect(devices.preauthorize(identity, other.publicKey, { force: true })).rejects.toMatchObject({
      kind: "conflict",
      details: { device: { id } },
    });
    await authentication.authorize(other.request());
    const { authSets } = await devices.get(id);
    expect(authSets.map(({ status }) => status).sort()).toEqual(["accepted", "rejected"]);
  });
});
