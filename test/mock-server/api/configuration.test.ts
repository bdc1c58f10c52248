import { Readable } from "node:stream";
import { openArtifact } from "@upkeep/shared/artifact";
import { expect, test } from "vitest";
import { DEPLOYMENTS, DEVICE_API, TestServer } from "./fixture.ts";

const DEVICE_SIDE = "/api/devices/v1/deviceconfig/configuration";

test("a device's configuration is delivered as an artifact of its own, by a link that is good for it alone", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const device = await server.device("1");
  const path = `/api/management/v1/deviceconfig/configurations/device/${device.id}`;
  expect((await server.manage(path)).json()).toEqual({ id: device.id, configured: {}, reported: {} });
  const put = await server.manage(path, { method: "PUT", body: { timezone: "Europe/Oslo" } });
  expect(put.statusCode).toBe(204);
  expect((await server.manage(path, { method: "PUT", body: { number: 5 } })).statusCode).toBe(400);
  expect((await server.call(DEVICE_SIDE, device)).json()).toEqual({ timezone: "Europe/Oslo" });
  const reported = await server.call(DEVICE_SIDE, { method: "PUT", body: { timezone: "UTC" }, ...device });
  expect(reported.statusCode).toBe(204);

  const deployed = await server.manage(`${path}/deploy`, { method: "POST", body: { retries: 1 } });
  const id = deployed.json().deployment_id;
  expect((await server.manage(path)).json()).toMatchObject({ reported: { timezone: "UTC" }, deployment_id: id });
  const shown = (await server.manage(`${DEPLOYMENTS}/deployments?type=configuration`)).json();
  const configuration = Buffer.from('{"timezone":"Eur...<omitted>"}').toString("base64");
  expect(shown).toMatchObject([{ id, type: "configuration", configuration, retries: 1 }]);

  const next = (await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board%2F1`, device)).json();
  expect(next).toMatchObject({ id, artifact: { id: `${id}${device.id}`, device_types_compatible: ["board/1"] } });
  const link = new URL(next.artifact.source.uri);
  const download = await server.call(link.pathname + link.search);
  expect([download.statusCode, download.headers["content-type"]]).toEqual([200, "application/vnd.mender-artifact"]);
  const reading = await openArtifact(Readable.from([download.rawPayload]));
  const { header } = reading;
  await reading.close();
  expect(header).toMatchObject({ artifactName: next.artifact.artifact_name, deviceTypes: ["board/1"] });
  const [payload] = header.payloads;
  expect(payload?.typeInfo.type).toBe("mender-configure");
  expect(JSON.parse(payload?.metaDataJson ?? "")).toEqual({ timezone: "Europe/Oslo" });

  const another = link.pathname.replace(device.id, "00000000-0000-4000-8000-000000000000") + link.search;
  expect((await server.call(another)).statusCode).toBe(403);
  server.system.nowMs += 15 * 60_000;
  expect((await server.call(link.pathname + link.search)).statusCode).toBe(403);
});

test.each([
  ["half a character", "\ud800", 200],
  ["a character that no artifact may have", "board\u001b", 422],
])("a device type with %s is no fault of the server", async (_, deviceType, status) => {
  const server = await TestServer.open({ autoAccept: true });
  const device = await server.device("1");
  const path = `/api/management/v1/deviceconfig/configurations/device/${device.id}`;
  await server.manage(path, { method: "PUT", body: { timezone: "Europe/Oslo" } });
  await server.manage(`${path}/deploy`, { method: "POST", body: {} });
  const body = { device_provides: { device_type: deviceType, artifact_name: "factory" } };
  const next = await server.call("/api/devices/v2/deployments/device/deployments/next", {
    ...{ method: "POST", body, token: device.token },
  });
  expect(next.statusCode).toBe(200);
  const link = new URL(next.json().artifact.source.uri);
  const download = await server.call(link.pathname + link.search);
  expect(download.statusCode).toBe(status);
  if (status !== 200) expect(download.json().error).toMatch(/deviceTypes: must have no control characters.*U\+001B/);
});
