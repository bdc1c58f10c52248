import { expect, test } from "vitest";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";

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

const BY_TEXT = { filters: [], text: "00:02" };

test("Devices that a text finds are put into a group and out of it, and decommissioned, if they are as many as expected", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id: other } = await server.device("02:00:00:00:00:01");
  const { id } = await server.device("02:00:00:00:00:02");
  const ask = async (method: "PUT" | "POST", path: string, body: object) => {
    const answer = await server.manage(`/api/management/v2/${path}`, { method, body });
    return [answer.statusCode, answer.statusCode === 200 ? answer.json() : undefined];
  };
  const group = (body: object) => ask("PUT", "inventory/devices/group", body);
  expect(await group({ group: "lab", ...BY_TEXT, expected_count: 2 })).toEqual([409, undefined]);
  expect(await group({ group: "no name", ...BY_TEXT, expected_count: 1 })).toEqual([400, undefined]);
  const moved = { matched_count: 1, updated_count: 1 };
  expect(await group({ group: "lab", ...BY_TEXT, expected_count: 1 })).toEqual([200, moved]);
  expect(await server.domain.groups.ofDevice(id)).toBe("lab");
  expect(await server.domain.groups.ofDevice(other)).toBeUndefined();
  expect(await group({ ids: [id, other] })).toEqual([200, { matched_count: 2, updated_count: 1 }]);
  expect(await server.domain.groups.names()).toEqual([]);
  const decommission = (body: object) => ask("POST", "devauth/devices/decommission", body);
  expect(await decommission({ ...BY_TEXT, expected_count: 2 })).toEqual([409, undefined]);
  expect(await decommission({ ids: [id], text: "x" })).toEqual([400, undefined]);
  expect(await server.domain.devices.count()).toBe(2);
  expect(await decommission({ ...BY_TEXT, expected_count: 1 })).toEqual([200, [{ id, result: "changed" }]]);
  expect(await decommission({ ids: [id] })).toEqual([200, [{ id, result: "not-found" }]]);
  expect(await server.domain.devices.count()).toBe(1);
});

test("A deployment to a search is one to the accepted devices that are found now, as its preview has counted them", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id } = await server.device("02:00:00:00:00:02");
  const { id: rejected } = await server.device("02:00:00:00:00:22");
  await server.domain.devices.decideAll({ ids: [rejected] }, "rejected");
  await server.uploaded();
  const post = (path: string, body: object) =>
    server.manage(`${DEPLOYMENTS}/deployments${path}`, {
      method: "POST",
      body: { artifact_name: "release-1", ...body },
    });
  const search = { filters: [], text: "02" };
  expect((await post("/preview", search)).json()).toMatchObject({ target_count: 1 });
  const create = async (body: object) => (await post("", { name: "to those", ...body })).statusCode;
  expect(await create(search)).toBe(400);
  expect(await create({ ...search, expected_count: 1, devices: [id] })).toBe(400);
  expect(await create({ ...search, expected_count: 2 })).toBe(409);
  expect(await create({ ...search, expected_count: 1 })).toBe(201);
  const [created] = (await server.manage(`${DEPLOYMENTS}/deployments`)).json();
  expect(created).toMatchObject({ max_devices: 1 });
});
