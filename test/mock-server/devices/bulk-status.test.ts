import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Domain, FilterTerm } from "../../../mock-server/domain.ts";
import { openTestDomain, TestDevice } from "../domain-fixture.ts";

let domain: Domain;
beforeEach(async () => {
  domain = (await openTestDomain()).domain;
});
afterEach(() => domain.close());

/** A device that asks to be let in, perhaps with several keys. @returns Its id. */
async function asks(mac: string, keys = 1): Promise<string> {
  const idData = JSON.stringify({ mac });
  for (let key = 0; key < keys; key += 1) {
    await expect(domain.authentication.authorize(new TestDevice(idData).request())).rejects.toThrow();
  }
  return (await domain.devices.withIdentity(idData))?.id ?? "";
}

const PENDING: FilterTerm = { scope: "identity", attribute: "status", type: "$eq", value: "pending" };
const status = async (id: string) => (await domain.devices.get(id)).status;

describe("Many devices", () => {
  test("are accepted and rejected by id, with a result for each", async () => {
    const [one, two, torn] = [await asks("1"), await asks("2"), await asks("3", 2)];
    const accept = await domain.devices.decideAll({ ids: [one, two, torn, "none", one] }, "accepted");
    expect(accept).toEqual([
      { deviceId: one, result: "changed" },
      { deviceId: two, result: "changed" },
      { deviceId: torn, result: "refused", reason: "the device has 2 keys: accept one of them by its id" },
      { deviceId: "none", result: "not-found" },
    ]);
    expect(await Promise.all([one, two, torn].map(status))).toEqual(["accepted", "accepted", "pending"]);
    const again = await domain.devices.decideAll({ ids: [one] }, "accepted");
    expect(again).toEqual([{ deviceId: one, result: "unchanged" }]);
    const reject = await domain.devices.decideAll({ ids: [one, torn] }, "rejected");
    expect(reject.map(({ result }) => result)).toEqual(["changed", "changed"]);
    expect(await Promise.all([one, two, torn].map(status))).toEqual(["rejected", "accepted", "rejected"]);
    expect(await domain.devices.decideAll({ ids: [one] }, "rejected")).toEqual([
      { deviceId: one, result: "unchanged" },
    ]);
    // One that was rejected may be let in after all.
    expect(await domain.devices.decideAll({ ids: [one] }, "accepted")).toEqual([{ deviceId: one, result: "changed" }]);
  });

  test("that meet conditions are accepted only if they are as many as expected", async () => {
    const ids = [await asks("1"), await asks("2"), await asks("3")].sort();
    const terms = [PENDING];
    const late = domain.devices.decideAll({ terms, expectedCount: 2 }, "accepted");
    await expect(late).rejects.toMatchObject({ kind: "conflict", message: expect.stringContaining("3 devices") });
    expect(await domain.devices.count("accepted")).toBe(0);
    const done = await domain.devices.decideAll({ terms, expectedCount: 3 }, "accepted");
    expect(done).toEqual(ids.map((deviceId) => ({ deviceId, result: "changed" })));
    expect(await domain.devices.count("accepted")).toBe(3);
  });

  test("are accepted up to the limit", async () => {
    const ids = [await asks("1"), await asks("2")];
    await domain.devices.setLimit(1);
    const results = await domain.devices.decideAll({ ids }, "accepted");
    expect(results.map(({ result }) => result)).toEqual(["changed", "refused"]);
    expect(results[1]?.reason).toBe("maximum number of accepted devices reached");
  });

  test("that are preauthorized are neither accepted before they ask, nor rejected", async () => {
    const id = await domain.devices.preauthorize({ mac: "1" }, new TestDevice("{}").publicKey);
    expect(await domain.devices.decideAll({ ids: [id] }, "accepted")).toMatchObject([{ result: "refused" }]);
    expect(await domain.devices.decideAll({ ids: [id] }, "rejected")).toMatchObject([{ result: "refused" }]);
    expect(await status(id)).toBe("preauthorized");
  });
});
