import { expect, test } from "vitest";
import type { OpenApiDocument } from "../../mock-server/api/openapi/document.ts";
import { DEPLOYMENTS, makeArtifact, TestServer } from "../mock-server/api/fixture.ts";
import { type ClientOperation, type ClientRequest, GeneratedClient } from "./generated-client.ts";

const INVENTORY = "/api/management/v1/inventory";
const LAST = (location: unknown): string => String(location).split("/").at(-1) ?? "";

/** What the parameters of paths stand for, by the part of the path before them. */
type Places = Readonly<Record<string, string>>;

/** A server that has several of everything that lists show, and one that waits for nothing. */
async function everything(): Promise<{ server: TestServer; places: Places; deviceToken: string }> {
  const server = await TestServer.open({ autoAccept: true });
  const devices = [];
  for (const mac of ["02:00:5e:00:53:01", "02:00:5e:00:53:02", "02:00:5e:00:53:03"]) {
    devices.push(await server.device(mac));
  }
  const [device, second, third] = devices;
  if (device === undefined || second === undefined || third === undefined) throw new Error("three devices were made");
  const manage = async (method: "POST" | "PUT" | "PATCH", url: string, body: unknown, token?: string) => {
    const answer = await server.manage(url, { method, body, ...(token === undefined ? {} : { token }) });
    if (answer.statusCode >= 300) throw new Error(`${method} ${url}: ${answer.statusCode} ${answer.body}`);
    return LAST(answer.headers.location);
  };
  for (const { token } of devices) {
    const attributes = [
      { name: "memory", value: 512 },
      { name: "ip", value: ["192.0.2.1", "2001:db8::1"] },
      { name: "kernel", value: "6.1", description: "of the running system" },
    ];
    await manage("PUT", "/api/devices/v1/inventory/device/attributes", attributes, token);
    await manage("PUT", "/api/devices/v1/deviceconfig/configuration", { timezone: "UTC" }, token);
  }
  await manage("PATCH", `${INVENTORY}/groups/field/devices`, [device.id, second.id]);
  await manage("PUT", `${INVENTORY}/devices/${third.id}/group`, { group: "lab" });
  await manage("PUT", `${INVENTORY}/devices/${device.id}/tags`, [
    { name: "name", value: "north", description: "gate" },
  ]);
  const terms = [{ scope: "inventory", attribute: "memory", type: "$gte", value: 1 }];
  const filter = await manage("POST", "/api/management/v2/inventory/filters", { name: "large", terms });
  await manage("POST", "/api/management/v2/inventory/filters", { name: "all of them", terms });
  await manage("POST", "/api/management/v1/useradm/users", {
    email: "b@example.com",
    password: "a long password",
    role: "ci-upload",
  });
  await manage("POST", "/api/management/v1/useradm/settings/tokens", { name: "ci", expires_in: 3600 });

  await server.uploaded({ name: "release-1" });
  await server.uploaded({ name: "release-1", deviceType: "other-board" });
  const upload = await server.upload(
    await makeArtifact({ name: "release-2", depends: { "rootfs-image.version": "1" } }),
    {
      description: "the second",
    },
  );
  const artifact = LAST(upload.headers.location);
  await manage("PUT", "/api/management/v2/deployments/deployments/releases/release-1/tags", ["demo"]);

  const deployment = await server.deployed("release-1", [device.id, second.id, third.id]);
  const provides = { device_provides: { device_type: "board", artifact_name: "factory" } };
  for (const { token } of [device, second]) {
    await manage("POST", "/api/devices/v2/deployments/device/deployments/next", provides, token);
    await manage(
      "PUT",
      `/api/devices/v1/deployments/device/deployments/${deployment}/status`,
      { status: "downloading", substate: "half" },
      token,
    );
  }
  const messages = [{ timestamp: "2027-01-01T00:00:00Z", level: "error", message: "no space" }];
  await manage("PUT", `/api/devices/v1/deployments/device/deployments/${deployment}/log`, { messages }, device.token);
  await manage(
    "PUT",
    `/api/devices/v1/deployments/device/deployments/${deployment}/status`,
    { status: "failure" },
    device.token,
  );
  await manage("POST", `${DEPLOYMENTS}/deployments/group/field`, {
    name: "in phases",
    artifact_name: "release-2",
    phases: [{ batch_size: 50 }, { start_ts: "2100-01-01T00:00:00Z" }],
    retries: 1,
    update_control_map: { priority: 1, states: { ArtifactInstall_Enter: { action: "continue" } } },
  });
  await manage("POST", "/api/management/v2/deployments/deployments", {
    name: "to a filter",
    artifact_name: "release-2",
    filter_id: filter,
    max_devices: 10,
  });
  await manage("PUT", `/api/management/v1/deviceconfig/configurations/device/${device.id}`, { timezone: "CET" });
  await manage("POST", `/api/management/v1/deviceconfig/configurations/device/${device.id}/deploy`, {});
  const { authSets } = await server.domain.devices.get(device.id);
  const places: Places = {
    artifacts: artifact,
    deployments: deployment,
    devices: device.id,
    device: device.id,
    auth: authSets[0]?.id ?? "",
    groups: "field",
    releases: "release-1",
    filters: filter,
    users: "me",
    limits: "max_devices",
    attributes: "inventory",
    "{scope}": "memory",
  };
  return { server, places, deviceToken: device.token };
}

/** Of each parameter of a path, its value: what the part of the path before it names. */
function parametersOf({ path }: ClientOperation, places: Places): Record<string, string> {
  const found = [...path.matchAll(/(?<=([^/]+)\/)\{(\w+)\}/g)];
  return Object.fromEntries(found.map(([, place = "", name = ""]) => [name, places[place] ?? ""]));
}

/** Requests that read although they are sent with POST, and what they send. */
const SEARCHES: Readonly<Record<string, unknown>> = {
  "/api/management/v2/devauth/devices/search": { status: ["accepted"] },
  "/api/management/v2/inventory/filters/search": {
    filters: [{ scope: "inventory", attribute: "memory", type: "$gte", value: 1 }],
    attributes: [{ scope: "inventory", attribute: "ip" }],
  },
  "/api/management/v2alpha1/inventory/identities/search": { value_prefix: "02:" },
};
/** Their answers are no JSON, or have no end. */
const NOT_JSON = /\/(?:events|log|docs|metrics|download)$|\/download\//;

/** A call that failed, or an empty list. */
async function faultOf(
  operation: ClientOperation,
  call: () => Promise<readonly unknown[] | undefined>,
): Promise<string[]> {
  try {
    return (await call())?.length === 0 ? [`${operation.id}: it is empty`] : [];
  } catch (error) {
    return [String(error)];
  }
}

test("a client that is generated from the OpenAPI document reads every list, page by page, and everything else that is shown", {
  timeout: 300_000,
}, async () => {
  const { server, places, deviceToken } = await everything();
  const document = (await server.call("/api/openapi.json")).json<OpenApiDocument>();
  const client = new GeneratedClient(document, async ({ method, url, body }: ClientRequest) => {
    const token = url.startsWith("/api/devices/") ? deviceToken : server.userToken;
    const answer = await server.call(url, { method: method as "GET", body, token });
    const isJson = String(answer.headers["content-type"]).startsWith("application/json");
    return {
      status: answer.statusCode,
      headers: answer.headers as Record<string, string | string[] | undefined>,
      json: isJson ? answer.json() : undefined,
    };
  });
  const reading = client
    .operations()
    .filter(({ method, path }) => (method === "GET" && !NOT_JSON.test(path)) || path in SEARCHES);
  const lists = reading.filter(({ isList }) => isList);
  const faults: string[] = [];
  for (const operation of lists) {
    const onePerPage = operation.parameters.includes("per_page") ? { per_page: "1" } : {};
    const given = { parameters: { ...parametersOf(operation, places), ...onePerPage }, body: SEARCHES[operation.path] };
    const paged = operation.isPaged && operation.method === "GET";
    const read = async () =>
      paged ? await client.all(operation, given) : asList((await client.call(operation, given)).json);
    faults.push(...(await faultOf(operation, read)));
  }
  for (const operation of reading.filter(({ isList }) => !isList)) {
    const parameters = { device_type: "board", artifact_name: "factory", ...parametersOf(operation, places) };
    const read = async () => {
      await client.call(operation, { parameters });
      return undefined;
    };
    faults.push(...(await faultOf(operation, read)));
  }
  expect(faults).toEqual([]);
  expect(lists.length).toBeGreaterThanOrEqual(30);
  expect(reading.length - lists.length).toBeGreaterThan(20);
});

function asList(json: unknown): readonly unknown[] {
  return Array.isArray(json) ? json : [];
}
