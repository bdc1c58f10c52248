import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import { DEPLOYMENTS, DEVICE_API, TestServer } from "./fixture.ts";

/** None of them is a time: without a zone or seconds, on days or at hours that do not exist, or none at all. */
const NO_TIMES = [
  "2030-01-01T00:00",
  "2030-01-01T00:00:00",
  "2030-01-01T00:00Z",
  "2030-01-01",
  "2030-02-30T00:00:00Z",
  "2029-02-29T00:00:00Z",
  "2030-13-01T00:00:00Z",
  "2030-01-01T24:00:00Z",
  "2030-01-01T00:00:00+24:00",
  "2030-01-01T00:00:00+0100",
  "Tue, 01 Jan 2030 00:00:00 GMT",
  "1893456000",
  "",
];

describe("what is no time by RFC 3339", () => {
  test.each(NO_TIMES)("%j opens no phase and is no timestamp of a filter or of a log", async (text) => {
    const server = await TestServer.open({ autoAccept: true });
    const device = await server.device("1");
    await server.uploaded();
    const phases = [{ batch_size: 100, start_ts: text }];
    const body = { name: "n", artifact_name: "release-1", all_devices: true, phases };
    const deployment = await server.manage(`${DEPLOYMENTS}/deployments`, { method: "POST", body });
    expect([deployment.statusCode, deployment.json().error]).toEqual([
      400,
      expect.stringMatching(/^phases\.0\.start_ts: must be a time as RFC 3339 has it, such as 2026-03-01T11:00:00Z/),
    ]);
    const terms = [{ scope: "system", attribute: "created_ts", type: "$gt", value: text }];
    for (const url of ["/api/management/v2/inventory/filters", "/api/management/v2/inventory/filters/search"]) {
      const filter = url.endsWith("search") ? { filters: terms } : { name: "f", terms };
      const answer = await server.manage(url, { method: "POST", body: filter });
      expect([answer.statusCode, answer.json().error]).toEqual([
        400,
        expect.stringMatching(/s\.0\.value: must be a time/),
      ]);
    }
    const id = await server.deployed("release-1", [device.id]);
    await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
    const messages = [{ timestamp: text, level: "error", message: "m" }];
    const log = await server.call(DEVICE_PATHS.log(id), { method: "PUT", body: { messages }, token: device.token });
    expect([log.statusCode, log.json().error]).toEqual([400, expect.stringContaining("messages.0.timestamp: ")]);
  });
});

test("a time with any offset opens a phase at that instant", async () => {
  const server = await TestServer.open({ autoAccept: true });
  await server.device("1");
  await server.uploaded();
  const phases = [{ batch_size: 100, start_ts: "2030-01-01T00:30:00.25+02:00" }];
  const body = { name: "n", artifact_name: "release-1", all_devices: true, phases };
  const { location } = (await server.manage(`${DEPLOYMENTS}/deployments`, { method: "POST", body })).headers;
  expect((await server.manage(String(location))).json().phases).toMatchObject([
    { start_ts: "2029-12-31T22:30:00.250Z" },
  ]);
});
