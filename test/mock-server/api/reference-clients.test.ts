import { describe, expect, test } from "vitest";
import { jsonBody } from "../../../mock-server/api/route.ts";
import { refusingNull } from "../../support/optional-fields.ts";
import { TestDevice } from "../domain-fixture.ts";
import { DEPLOYMENTS, DEVICE_API, TestServer } from "./fixture.ts";
import { routesOf } from "./openapi/routes.ts";

const V1 = `${DEPLOYMENTS}/deployments`;
const V2 = "/api/management/v2/deployments/deployments";
const HOUR_MS = 60 * 60_000;

async function withDevice() {
  const server = await TestServer.open({ autoAccept: true });
  const device = await server.device("1");
  await server.uploaded();
  const list = async (url: string) => {
    const answer = await server.manage(url);
    expect([answer.statusCode, answer.body]).toEqual([200, expect.any(String)]);
    return answer.json();
  };
  const create = async (url: string, body: object) => {
    const answer = await server.manage(url, { method: "POST", body: { artifact_name: "release-1", ...body } });
    expect([answer.statusCode, answer.body]).toEqual([201, ""]);
    return String(answer.headers.location).split("/").at(-1) ?? "";
  };
  return { server, device, list, create };
}

const later = ({ system }: TestServer, hours: number) => new Date(system.nowMs + hours * HOUR_MS).toISOString();

describe("a configuration deployment", () => {
  test("shows its configuration as base64 of JSON, of each value three characters", async () => {
    const { server, device, list } = await withDevice();
    const path = `/api/management/v1/deviceconfig/configurations/device/${device.id}`;
    const configured = { key: "abc", password: "secret", city: "Größe" };
    await server.manage(path, { method: "PUT", body: configured });
    const id = (await server.manage(`${path}/deploy`, { method: "POST", body: {} })).json().deployment_id;
    await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
    const shown = [
      (await list(`${V1}?type=configuration`))[0],
      (await list(`${V2}?type=configuration`))[0],
      await list(`${V1}/${id}`),
      (await list(`${V1}/devices/${device.id}`))[0].deployment,
    ];
    for (const { configuration } of shown) {
      expect(configuration).toEqual(expect.any(String));
      expect(JSON.parse(Buffer.from(configuration, "base64").toString())).toEqual({
        key: "abc",
        password: "sec...<omitted>",
        city: "Grö...<omitted>",
      });
    }
    expect((await list(path)).configured).toEqual(configured);
  });
});

describe("a deployment's filter", () => {
  test("has an id and a name also where no saved filter stands behind it", async () => {
    const { server, device, list, create } = await withDevice();
    await server.manage(`/api/management/v1/inventory/devices/${device.id}/group`, {
      method: "PUT",
      body: { group: "lab" },
    });
    const all = await create(V1, { name: "all", all_devices: true });
    const group = await create(`${V1}/group/lab`, { name: "group" });
    for (const url of [V1, V2]) {
      const filters = Object.fromEntries(
        (await list(url)).map((one: { id: string; filter: unknown }) => [one.id, one.filter]),
      );
      expect(filters).toEqual({
        [all]: {
          id: "",
          name: "",
          terms: [{ scope: "identity", attribute: "status", type: "$eq", value: "accepted" }],
        },
        [group]: { id: "", name: "lab", terms: [{ scope: "system", attribute: "group", type: "$eq", value: "lab" }] },
      });
    }
  });
});

describe("a deployment whose first phase lies in the future", () => {
  test("is scheduled in version 2 until the phase begins, and pending in version 1, which does not know the word", async () => {
    const { server, device, list, create } = await withDevice();
    const phases = [{ start_ts: later(server, 1) }];
    const scheduled = await create(V1, { name: "later", devices: [device.id], phases });
    const pending = await create(V1, { name: "now", devices: [device.id], phases: [{}] });
    const ids = async (query: string) => (await list(query)).map(({ id }: { id: string }) => id);
    const statuses = async (url: string) =>
      Object.fromEntries((await list(url)).map(({ id, status }: { id: string; status: string }) => [id, status]));

    expect(await ids(`${V2}?status=scheduled`)).toEqual([scheduled]);
    expect(await ids(`${V2}?status=pending`)).toEqual([pending]);
    expect(await statuses(V2)).toEqual({ [scheduled]: "scheduled", [pending]: "pending" });
    expect(await ids(`${V1}?status=pending`)).toEqual([pending, scheduled]);
    expect(await statuses(V1)).toEqual({ [scheduled]: "pending", [pending]: "pending" });
    expect((await server.manage(`${V1}?status=scheduled`)).statusCode).toBe(400);

    server.system.nowMs += HOUR_MS;
    expect(await ids(`${V2}?status=scheduled`)).toEqual([]);
    expect(await ids(`${V2}?status=pending`)).toEqual([pending, scheduled]);
    expect(await statuses(V2)).toEqual({ [scheduled]: "pending", [pending]: "pending" });
  });

  test("that was aborted is finished, not scheduled", async () => {
    const { server, device, list, create } = await withDevice();
    const id = await create(V1, { name: "later", devices: [device.id], phases: [{ start_ts: later(server, 1) }] });
    await server.manage(`${V1}/${id}/status`, { method: "PUT", body: { status: "aborted" } });
    expect(await list(`${V2}?status=scheduled`)).toEqual([]);
    expect(await list(V2)).toMatchObject([{ id, status: "finished" }]);
  });
});

describe("a deployment with one empty phase", () => {
  test("shows the phase with the devices that began in it", async () => {
    const { server, device, list, create } = await withDevice();
    const id = await create(V1, { name: "now", devices: [device.id], phases: [{}] });
    const phase = { id: expect.any(String), batch_size: 100, device_count: 0, places: 1, state: "active" };
    expect((await list(`${V1}/${id}`)).phases).toEqual([phase]);
    await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
    expect((await list(`${V1}/${id}`)).phases).toEqual([{ ...phase, device_count: 1 }]);
    await server.call(`${DEVICE_API}/${id}/status`, { method: "PUT", body: { status: "success" }, ...device });
    expect(await list(`${V1}/${id}`)).toMatchObject({ status: "finished", phases: [{ state: "finished" }] });
  });

  test("to a filter lets in every device that matches", async () => {
    const { server, device, list, create } = await withDevice();
    const filter = { name: "boards", terms: [{ scope: "identity", attribute: "mac", type: "$exists", value: true }] };
    const saved = await server.manage("/api/management/v2/inventory/filters", { method: "POST", body: filter });
    const filter_id = String(saved.headers.location).split("/").at(-1);
    const id = await create(V2, { name: "dynamic", filter_id, phases: [{}] });
    for (const { token } of [device, await server.device("2")]) {
      const next = await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, { token });
      expect(next.statusCode).toBe(200);
    }
    expect((await list(`${V1}/${id}`)).phases).toMatchObject([{ places: 1, device_count: 2, state: "active" }]);
  });
});

describe("the list of deployments", () => {
  test.each([V1, V2])("%s by time takes each second as its beginning", async (url) => {
    const { server, device, list, create } = await withDevice();
    const names = async (query: string) => (await list(`${url}?${query}`)).map(({ name }: { name: string }) => name);
    const second = Math.floor(server.system.nowMs / 1000);
    await create(V1, { name: "at its beginning", devices: [device.id] });
    server.system.nowMs += 1;
    await create(V1, { name: "within it", devices: [device.id] });
    expect(await names(`created_before=${second}`)).toEqual(["at its beginning"]);
    expect(await names(`created_after=${second}`)).toEqual(["within it", "at its beginning"]);
    expect(await names(`created_after=${second + 1}`)).toEqual([]);
  });
});

describe("a device's attributes", () => {
  test("have a timestamp if they are tags, as those alone have one in the reference", async () => {
    const { server, device, list } = await withDevice();
    const path = `/api/management/v1/inventory/devices/${device.id}`;
    await server.call("/api/devices/v1/inventory/device/attributes", {
      method: "PUT",
      body: [{ name: "os", value: "linux", timestamp: "2020-01-01T00:00:00Z" }],
      token: device.token,
    });
    await server.manage(`${path}/tags`, { method: "PUT", body: [{ name: "place", value: "lab" }] });
    const search = { method: "POST", body: {} } as const;
    const shown = [
      await list(path),
      (await list("/api/management/v1/inventory/devices"))[0],
      (await server.manage("/api/management/v2/inventory/filters/search", search)).json()[0],
    ];
    for (const { attributes } of shown) {
      const dated = attributes.filter((attribute: object) => "timestamp" in attribute);
      expect(dated).toEqual([
        { scope: "tags", name: "place", value: "lab", timestamp: new Date(server.system.nowMs).toISOString() },
      ]);
      expect(attributes).toContainEqual({ scope: "inventory", name: "os", value: "linux" });
    }
  });
});

describe("null in place of an optional field", () => {
  test("is taken in every request that users send", async () => {
    const server = await TestServer.open();
    const refusing = routesOf(server).flatMap((route) => {
      const body = jsonBody(route);
      return body === undefined ? [] : refusingNull(body.schema).map((path) => `${route.method} ${route.path} ${path}`);
    });
    // A condition has all of these; that one is missing is told in words of its own.
    const conditions = ["scope", "attribute", "type"].map(
      (field) => `POST /api/management/v2/inventory/filters terms[].${field}`,
    );
    expect(refusing).toEqual(conditions);
  });

  test("creates a deployment as if it were absent", async () => {
    const { server, device, list, create } = await withDevice();
    const id = await create(V1, {
      ...{ name: "n", devices: [device.id], all_devices: null, force_installation: null, retries: null },
      ...{ silent_after: null, autogenerate_delta: null },
      phases: [{ batch_size: null, start_ts: null, success_threshold: null, error_threshold: null }],
      update_control_map: {
        priority: null,
        states: { ArtifactReboot_Enter: { action: "pause", on_map_expire: null } },
      },
    });
    expect((await list(`${V1}/${id}`)).update_control_map).toEqual({
      states: { ArtifactReboot_Enter: { action: "pause" } },
    });
    await server.manage(`/api/management/v1/inventory/devices/${device.id}/tags`, {
      method: "PUT",
      body: [{ name: "place", value: "lab", description: null }],
    });
    const { attributes } = await list(`/api/management/v1/inventory/devices/${device.id}`);
    expect(attributes).toContainEqual(expect.not.objectContaining({ description: null, name: "place" }));
  });

  test("is taken in what a device sends", async () => {
    const { server, device } = await withDevice();
    const key = new TestDevice('{"mac":"9"}');
    const body = JSON.stringify({ id_data: key.idData, pubkey: key.publicKey, tenant_token: null, tier: null });
    const authorized = await server.call("/api/devices/v1/authentication/auth_requests", {
      method: "POST",
      body,
      headers: { "content-type": "application/json", "x-men-signature": key.sign(Buffer.from(body)) },
    });
    expect(authorized.statusCode).toBe(200);
    const id = await server.deployed("release-1", [device.id]);
    const provides = { device_type: "board", artifact_name: "factory", "rootfs-image.version": null };
    for (const [url, poll] of [
      ["/api/devices/v2/deployments/device/deployments/next", { device_provides: provides, update_control_map: null }],
      [`${DEVICE_API}/next`, provides],
    ] as const) {
      expect((await server.call(url, { method: "POST", body: poll, ...device })).statusCode).toBe(200);
    }
    const report = { method: "PUT", body: { status: "installing", substate: null }, ...device } as const;
    expect((await server.call(`${DEVICE_API}/${id}/status`, report)).statusCode).toBe(204);
  });
});

describe("a device's tier", () => {
  const DEVAUTH = "/api/management/v2/devauth/devices";

  test("is shown with the device and its keys, is an attribute, and is counted", async () => {
    const { server, device, list } = await withDevice();
    const micro = new TestDevice('{"mac":"9"}');
    const body = micro.body({ tier: "micro" });
    const token = await server.domain.authentication.authorize({ body, signature: micro.sign(body) });
    const { deviceId } = await server.domain.authentication.verify(token);
    expect(await list(`${DEVAUTH}/${deviceId}`)).toMatchObject({ tier: "micro", auth_sets: [{ tier: "micro" }] });
    expect(await list(`${DEVAUTH}/${device.id}`)).toMatchObject({
      tier: "standard",
      auth_sets: [{ tier: "standard" }],
    });
    const found = await server.manage("/api/management/v2/inventory/filters/search", {
      method: "POST",
      body: { filters: [{ scope: "system", attribute: "tier", type: "$eq", value: "micro" }] },
    });
    expect(found.json()).toMatchObject([{ id: deviceId }]);
    expect((await list("/api/management/v2/inventory/statistics")).devices_by_status).toMatchObject({
      accepted: { standard: 1, micro: 1, system: 0 },
      pending: { standard: 0, micro: 0, system: 0 },
    });
  });

  test("that is unknown is refused, and named", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const device = new TestDevice('{"mac":"9"}');
    const body = device.body({ tier: "huge" });
    const answer = await server.call("/api/devices/v1/authentication/auth_requests", {
      method: "POST",
      body,
      headers: { "content-type": "application/json", "x-men-signature": device.sign(body) },
    });
    expect([answer.statusCode, answer.json().error]).toEqual([
      400,
      'failed to decode auth request: tier: must be one of standard, micro, system, not "huge"',
    ]);
  });

  test("can be announced with the key; the device must ask with it", async () => {
    const server = await TestServer.open();
    const device = new TestDevice('{"mac":"9"}');
    const announced = { identity_data: { mac: "9" }, pubkey: device.publicKey, tier: "system" };
    const answer = await server.manage(DEVAUTH, { method: "POST", body: announced });
    expect(answer.statusCode).toBe(201);
    const standard = device.request();
    await expect(server.domain.authentication.authorize(standard)).rejects.toMatchObject({ kind: "unauthorized" });
    const body = device.body({ tier: "system" });
    expect(await server.domain.authentication.authorize({ body, signature: device.sign(body) })).toEqual(
      expect.any(String),
    );
    const odd = await server.manage(DEVAUTH, { method: "POST", body: { ...announced, tier: "huge" } });
    expect([odd.statusCode, odd.json().error]).toEqual([400, expect.stringContaining("tier: ")]);
  });
});
