import { expect, test } from "vitest";
import { TestServer } from "./fixture.ts";

const STATUS = "/api/management/v2/devauth/devices/status";
const FILTERS = "/api/management/v2/inventory/filters";

test("Devices are decided on together: 409 if they are not as many as expected, 400 for half a request", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id } = await server.device("02:00:00:00:00:01");
  const put = async (body: object) => {
    const answer = await server.manage(STATUS, { method: "PUT", body });
    return [answer.statusCode, answer.statusCode === 200 ? answer.json() : undefined];
  };
  const filters = [{ scope: "identity", attribute: "status", type: "$eq", value: "accepted" }];
  expect(await put({ status: "rejected", filters, expected_count: 2 })).toEqual([409, undefined]);
  expect(await put({ status: "rejected", filters, expected_count: 1 })).toEqual([200, [{ id, result: "changed" }]]);
  expect(await put({ status: "accepted", ids: [id] })).toEqual([200, [{ id, result: "changed" }]]);
  for (const half of [{ filters }, { ids: [id], expected_count: 1 }, { ids: [id], filters }, {}]) {
    expect(await put({ status: "accepted", ...half })).toEqual([400, undefined]);
  }
});

test("Devices are counted by conditions, and by the values of an attribute", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id } = await server.device("02:00:00:00:00:01");
  await server.domain.inventory.replace(id, [{ name: "rootfs-image.version", value: "v1" }]);
  const filters = [{ scope: "inventory", attribute: "rootfs-image.version", type: "$eq", value: "v1" }];
  const count = await server.manage(`${FILTERS}/count`, { method: "POST", body: { filters } });
  expect(count.json()).toEqual({ count: 1 });
  const values = (name: string, query = "") => server.manage(`${FILTERS}/attributes/${name}/values${query}`);
  const answer = await values("inventory/rootfs-image.version", "?prefix=V");
  expect([answer.json(), answer.headers["x-total-count"]]).toEqual([[{ value: "v1", count: 1 }], "1"]);
  expect((await values("inventory/rootfs-image.version", "?prefix=w")).json()).toEqual([]);
  expect((await values("system/updated_ts")).statusCode).toBe(400);
  expect((await values("nowhere/name")).statusCode).toBe(400);
});
