import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { expect, test } from "vitest";
import { TestDevice } from "../domain-fixture.ts";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";

/** Keys that an object of JavaScript has a meaning of its own for. JSON of theirs, since a literal would set it. */
const ODD = '{"__proto__":"1","constructor":"2","toString":"3"}';
const odd = (): Readonly<Record<string, string>> => JSON.parse(ODD);

async function withDevice() {
  const server = await TestServer.open({ autoAccept: true });
  const device = await server.device("1");
  const poll = async (more: string) => {
    const body = `{"device_provides":{"device_type":"board","artifact_name":"factory"${more}}}`;
    const headers = { "content-type": "application/json" };
    return await server.call(DEVICE_PATHS.nextV2, { method: "POST", body, headers, token: device.token });
  };
  return { server, device, poll };
}

test("an artifact that depends on odd keys is offered to the device that provides them, and to no other", async () => {
  const { server, device, poll } = await withDevice();
  const id = await server.uploaded({ depends: odd() });
  const shown = (await server.manage(`${DEPLOYMENTS}/artifacts/${id}`)).body;
  expect(shown).toMatch(/"artifact_depends":\{[^}]*"__proto__":"?\[?"1"/);
  await server.deployed("release-1", [device.id]);
  const full = ODD.slice(1, -1);
  expect((await poll(`,${full}`)).statusCode).toBe(200);
});

test("a device that lacks one of them gets nothing", async () => {
  const { server, device, poll } = await withDevice();
  await server.uploaded({ depends: odd() });
  await server.deployed("release-1", [device.id]);
  expect((await poll(',"constructor":"2","toString":"3"')).statusCode).toBe(204);
});

test("a device's configuration keeps them", async () => {
  const { server, device } = await withDevice();
  const path = `/api/management/v1/deviceconfig/configurations/device/${device.id}`;
  const put = await server.manage(path, { method: "PUT", body: odd() });
  expect(put.statusCode).toBe(204);
  const own = await server.call("/api/devices/v1/deviceconfig/configuration", { token: device.token });
  expect(Object.entries(own.json()).sort()).toEqual(Object.entries(odd()).sort());
});

test("a device's identity and inventory keep them", async () => {
  const { server } = await withDevice();
  const token = await server.domain.authentication.authorize(new TestDevice(ODD).request());
  const body = Object.entries(odd()).map(([name, value]) => ({ name, value }));
  expect((await server.call(DEVICE_PATHS.inventory, { method: "PUT", body, token })).statusCode).toBe(200);
  const { deviceId } = await server.domain.authentication.verify(token);
  const device = await server.manage(`/api/management/v2/devauth/devices/${deviceId}`);
  expect(Object.entries(device.json().identity_data).sort()).toEqual(Object.entries(odd()).sort());
  const { attributes } = (await server.manage(`/api/management/v1/inventory/devices/${deviceId}`)).json();
  expect(attributes).toEqual(expect.arrayContaining(body.map((attribute) => expect.objectContaining(attribute))));
});
