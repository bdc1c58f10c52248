import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import { TestDevice } from "../domain-fixture.ts";
import { DEPLOYMENTS, DEVICE_API, TestServer } from "./fixture.ts";

const INVENTORY = DEVICE_PATHS.inventory;
/** "café" in ISO 8859-1, which is not UTF-8. */
const CAFE = Buffer.from("caf\xe9", "latin1");

/** JSON in which `@` stands for {@link CAFE}. */
function withCafe(json: string): Buffer {
  const [before = "", after = ""] = json.split("@");
  return Buffer.concat([Buffer.from(before), CAFE, Buffer.from(after)]);
}

async function withDevice() {
  const server = await TestServer.open({ autoAccept: true });
  const device = await server.device("1");
  const send = (method: "PUT" | "PATCH" | "POST", url: string, body: unknown) =>
    server.call(url, { method, body, headers: { "content-type": "application/json" }, token: device.token });
  const attributes = async (scope: string): Promise<Record<string, unknown>> => {
    const shown = (await server.manage(`/api/management/v1/inventory/devices/${device.id}`)).json().attributes;
    return Object.fromEntries(
      shown
        .filter((attribute: { scope: string }) => attribute.scope === scope)
        .map(({ name, value }: { name: string; value: unknown }) => [name, value]),
    );
  };
  return { server, device, send, attributes };
}

describe("an inventory", () => {
  test("with a byte that is not UTF-8 is kept, as the reference keeps it", async () => {
    const { send, attributes } = await withDevice();
    const answer = await send(
      "PUT",
      INVENTORY,
      withCafe('[{"name":"ssid","value":"@"},{"name":"os","value":"linux"}]'),
    );
    expect([answer.statusCode, answer.body]).toEqual([200, ""]);
    expect(await attributes("inventory")).toEqual({ ssid: "caf\ufffd", os: "linux" });
  });

  test("with NUL or half of a surrogate pair, in names too, is kept", async () => {
    const { send, attributes } = await withDevice();
    const body = '[{"name":"a\\u0000b","value":"c\\u0000d"},{"name":"e\\ud800","value":["\\udfff","f"]}]';
    expect((await send("PATCH", INVENTORY, body)).statusCode).toBe(200);
    expect(await attributes("inventory")).toEqual({ "a\ufffdb": "c\ufffdd", "e\ufffd": ["\ufffd", "f"] });
  });

  test("loses what cannot be kept, by name, and nothing else; the device and the log tell of it", async () => {
    const { server, device, send, attributes } = await withDevice();
    const bad = [
      { name: "", value: "1" },
      { name: "n".repeat(1025), value: "1" },
      { name: "none", value: null },
      { name: "nested", value: { a: 1 } },
      { name: "mixed", value: ["a", 1] },
      { value: "no name" },
      "no attribute",
    ];
    const body = [{ name: "os", value: "linux" }, ...bad, { name: "cpus", value: 4, description: 5 }];
    expect((await send("PUT", INVENTORY, body)).statusCode).toBe(200);
    expect(await attributes("inventory")).toEqual({ os: "linux", cpus: 4 });
    const { inventory_left_out: told } = await attributes("system");
    expect(told).toEqual([
      'no. 2: the name "" must have 1 to 1024 characters',
      expect.stringMatching(/^no\. 3: the name "n+…" must have 1 to 1024 characters$/),
      '"none": the value must be a text, a number, or a list of texts or of numbers, not null',
      '"nested": the value must be a text, a number, or a list of texts or of numbers, not {"a":1}',
      '"mixed": the value must be a text, a number, or a list of texts or of numbers, not ["a",1]',
      "no. 7: the name must be a text, not undefined",
      'no. 8: must be an object with name and value, not "no attribute"',
    ]);
    const lines = () => server.logLines.filter((line) => line.includes("left out"));
    expect(lines()).toHaveLength(1);
    expect(JSON.parse(lines()[0] ?? "")).toMatchObject({
      level: "warning",
      message: expect.stringContaining(`inventory of device ${device.id}`),
      left_out: told,
    });
    // The same again is not news.
    await send("PUT", INVENTORY, body);
    expect(lines()).toHaveLength(1);
    const found = await server.manage("/api/management/v2/inventory/filters/search", {
      method: "POST",
      body: { filters: [{ scope: "system", attribute: "inventory_left_out", type: "$exists", value: true }] },
    });
    expect(found.json()).toMatchObject([{ id: device.id }]);
    await send("PUT", INVENTORY, [{ name: "os", value: "linux" }]);
    expect(await attributes("system")).not.toHaveProperty("inventory_left_out");
  });

  test("that is refused by every device of a fleet fills no log", async () => {
    const server = await TestServer.open({ autoAccept: true });
    for (let number = 0; number < 70; number += 1) {
      const { token } = await server.device(String(number));
      await server.call(INVENTORY, { method: "PUT", body: [{ name: "", value: number }], token });
    }
    const lines = () => server.logLines.filter((line) => line.includes("left out"));
    expect(lines()).toHaveLength(60);
    server.system.nowMs += 60_000;
    const { token } = await server.device("last");
    await server.call(INVENTORY, { method: "PUT", body: [{ name: "", value: 1 }], token });
    expect(JSON.parse(lines().at(-1) ?? "")).toMatchObject({ devices_not_logged: 10 });
  });

  test("with a number that is none loses only that", async () => {
    const { send, attributes } = await withDevice();
    expect((await send("PUT", INVENTORY, '[{"name":"a","value":1e400},{"name":"b","value":1}]')).statusCode).toBe(200);
    expect(await attributes("inventory")).toEqual({ b: 1 });
  });

  test("that is no list of attributes is refused", async () => {
    const { send } = await withDevice();
    for (const body of ["{}", "[", "null", '"a"', "7"]) {
      expect((await send("PUT", INVENTORY, body)).statusCode).toBe(400);
    }
  });
});

describe("a device that sends texts which are not Unicode", () => {
  test("asks, reports and sends its log all the same", async () => {
    const { server, device, send } = await withDevice();
    await server.uploaded();
    const id = await server.deployed("release-1", [device.id]);
    const provides = withCafe('{"device_provides":{"device_type":"board","artifact_name":"factory","note":"@"}}');
    expect((await send("POST", DEVICE_PATHS.nextV2, provides)).json()).toMatchObject({ id });
    const status = await send("PUT", `${DEVICE_API}/${id}/status`, withCafe('{"status":"failure","substate":"@"}'));
    expect(status.statusCode).toBe(204);
    const log = withCafe('{"messages":[{"timestamp":"2027-01-01T00:00:00Z","level":"error","message":"no @\\u0000"}]}');
    expect((await send("PUT", `${DEVICE_API}/${id}/log`, log)).statusCode).toBe(204);
    const shown = await server.manage(`${DEPLOYMENTS}/deployments/${id}/devices/${device.id}/log`);
    expect(shown.body).toBe("2027-01-01T00:00:00.000Z error: no caf\ufffd\ufffd\n");
    const configuration = await send("PUT", "/api/devices/v1/deviceconfig/configuration", withCafe('{"ssid":"@"}'));
    expect(configuration.statusCode).toBe(204);
  });

  test("gets its configuration: half of a surrogate pair in its device type is no fault of the server", async () => {
    const { server, device, send } = await withDevice();
    const path = `/api/management/v1/deviceconfig/configurations/device/${device.id}`;
    await server.manage(path, { method: "PUT", body: { timezone: "UTC" } });
    expect((await server.manage(`${path}/deploy`, { method: "POST", body: {} })).statusCode).toBe(200);
    for (const url of [DEVICE_PATHS.nextV1, DEVICE_PATHS.nextV2]) {
      const provides = { device_type: "\ud800", artifact_name: "factory" };
      const answer = await send("POST", url, url === DEVICE_PATHS.nextV1 ? provides : { device_provides: provides });
      expect([answer.statusCode, answer.json().artifact.device_types_compatible]).toEqual([200, ["\ufffd"]]);
    }
  });

  test("is let in: its signature is that of the bytes that it sent", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const device = new TestDevice("");
    const body = withCafe(JSON.stringify({ id_data: '{"owner":"@"}', pubkey: device.publicKey }));
    const answer = await server.call(DEVICE_PATHS.authRequests, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", "x-men-signature": device.sign(body) },
    });
    expect(answer.statusCode).toBe(200);
    const [shown] = (await server.manage("/api/management/v2/devauth/devices")).json();
    expect(shown.identity_data).toEqual({ owner: "caf\ufffd" });
  });
});

describe("a user", () => {
  test("is told of half of a surrogate pair, as of NUL", async () => {
    const server = await TestServer.open();
    const answer = await server.manage(`${DEPLOYMENTS}/deployments`, {
      method: "POST",
      body: '{"name":"a\\ud800","artifact_name":"b","all_devices":true}',
      headers: { "content-type": "application/json" },
    });
    expect([answer.statusCode, answer.json().error]).toEqual([
      400,
      "the request's body has half of a surrogate pair (\\ud800)",
    ]);
  });
});
