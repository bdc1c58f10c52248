import { Readable } from "node:stream";
import { given } from "@upkeep/shared/given";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import { type KeyKind, TestDevice } from "../domain-fixture.ts";
import { DEPLOYMENTS, DEVICE_API, TestServer } from "./fixture.ts";

const INVENTORY = DEVICE_PATHS.inventory;
const NEXT_V2 = DEVICE_PATHS.nextV2;
const NOTHING = "5cb9c1d4-6f2e-4f3c-9b0d-000000000000";

function authorize(server: TestServer, device: TestDevice, headers: Record<string, string> = {}) {
  const { body, signature } = device.request();
  return server.call(DEVICE_PATHS.authRequests, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", "x-men-signature": signature, ...headers },
  });
}

async function withDeployment() {
  const server = await TestServer.open({ autoAccept: true });
  const device = await server.device("1");
  const artifact = await server.uploaded();
  const deployment = await server.deployed("release-1", [device.id]);
  const next = () => server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
  const put = (path: string, body: unknown) => server.call(`${DEVICE_API}/${path}`, { method: "PUT", body, ...device });
  return { server, device, artifact, deployment, next, put };
}

describe("asking to be let in", () => {
  test.each<KeyKind>(["rsa", "ecdsa", "ed25519"])("with a key of kind %s gives a token once accepted", async (kind) => {
    const server = await TestServer.open();
    const device = new TestDevice('{"mac":"1"}', kind);
    const first = await authorize(server, device);
    expect([first.statusCode, first.json().error]).toEqual([401, "dev auth: unauthorized"]);
    const [pending] = (await server.manage("/api/management/v2/devauth/devices")).json();
    expect(pending).toMatchObject({ status: "pending", identity_data: { mac: "1" }, decommissioning: false });
    const status = `/api/management/v2/devauth/devices/${pending.id}/auth/${pending.auth_sets[0].id}/status`;
    const accepted = await server.manage(status, { method: "PUT", body: { status: "accepted" } });
    expect(accepted.statusCode).toBe(204);
    const second = await authorize(server, device);
    expect(second.statusCode).toBe(200);
    expect(second.headers["content-type"]).toBe("application/jwt");
    expect(second.body.split(".")).toHaveLength(3);
  });

  test.each(["Bearer ", "API_KEY", "Bearer nonsense", "Basic x"])(
    "does not look at the header Authorization: %j",
    async (authorization) => {
      const server = await TestServer.open({ autoAccept: true });
      expect((await authorize(server, new TestDevice('{"mac":"1"}'), { authorization })).statusCode).toBe(200);
    },
  );

  test("checks the signature over the exact bytes", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const device = new TestDevice('{"mac":"1"}');
    const { body, signature } = device.request();
    const reformatted = Buffer.from(JSON.stringify(JSON.parse(Buffer.from(body).toString()), undefined, 1));
    const send = (bytes: Uint8Array, headers: Record<string, string>) =>
      server.call(DEVICE_PATHS.authRequests, {
        method: "POST",
        body: bytes,
        headers: { "content-type": "application/json", ...headers },
      });
    const changed = await send(reformatted, { "x-men-signature": signature });
    expect([changed.statusCode, changed.json().error]).toEqual([401, "signature verification failed"]);
    const unsigned = await send(body, {});
    expect([unsigned.statusCode, unsigned.json().error]).toEqual([400, "missing request signature header"]);
    const garbled = await send(Buffer.from("{"), { "x-men-signature": signature });
    expect(garbled.json().error).toContain("failed to decode auth request");
  });
});

describe("without a good token", () => {
  const calls = [
    ["GET", `${DEVICE_API}/next?artifact_name=a&device_type=b`],
    ["POST", `${DEVICE_API}/next`],
    ["POST", NEXT_V2],
    ["PUT", `${DEVICE_API}/${NOTHING}/status`],
    ["PUT", `${DEVICE_API}/${NOTHING}/log`],
    ["PUT", INVENTORY],
    ["PATCH", INVENTORY],
  ] as const;

  test.each(calls)("%s %s is 401 with an empty body", async (method, path) => {
    const server = await TestServer.open({ autoAccept: true });
    const device = await server.device("1");
    const check = async (token?: string) => {
      const body = method === "GET" ? {} : { body: { status: "success" } };
      const answer = await server.call(path, { method, ...body, ...given({ token }) });
      expect(answer.statusCode).toBe(401);
      expect(answer.body).toBe("");
      expect(answer.headers["content-length"]).toBe("0");
    };
    await check();
    await check("a.b.c");
    server.system.nowMs += 8 * 24 * 3600 * 1000;
    await check(device.token);
  });

  test("a device that was rejected or decommissioned is out at once", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const devices = [await server.device("1"), await server.device("2")] as const;
    const next = async (token: string) =>
      (await server.call(`${DEVICE_API}/next?artifact_name=a&device_type=b`, { token })).statusCode;
    expect([await next(devices[0].token), await next(devices[1].token)]).toEqual([204, 204]);
    const base = "/api/management/v2/devauth/devices";
    const { auth_sets } = (await server.manage(`${base}/${devices[0].id}`)).json();
    const status = `${base}/${devices[0].id}/auth/${auth_sets[0].id}/status`;
    await server.manage(status, { method: "PUT", body: { status: "rejected" } });
    await server.manage(`${base}/${devices[1].id}`, { method: "DELETE" });
    expect([await next(devices[0].token), await next(devices[1].token)]).toEqual([401, 401]);
  });
});

describe("asking what to install", () => {
  test("is answered alike in all three forms", async () => {
    const { server, device, artifact, deployment, next } = await withDeployment();
    const provides = { artifact_name: "factory", device_type: "board" };
    const answers = [
      await next(),
      await server.call(`${DEVICE_API}/next`, { method: "POST", body: provides, ...device }),
      await server.call(NEXT_V2, {
        method: "POST",
        body: { device_provides: provides, update_control_map: true },
        ...device,
      }),
    ];
    for (const answer of answers) {
      expect(answer.statusCode).toBe(200);
      expect(answer.json()).toEqual({
        id: deployment,
        artifact: {
          id: artifact,
          artifact_name: "release-1",
          source: {
            uri: expect.stringMatching(/^http:\/\/localhost:80\/api\/devices\/v1\/deployments\/download\/artifact\//),
            expire: new Date(server.system.nowMs + 24 * 3600 * 1000).toISOString(),
          },
          device_types_compatible: ["board"],
        },
      });
    }
    const head = await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, {
      method: "HEAD",
      ...device,
    });
    expect([head.statusCode, head.body]).toEqual([200, ""]);
  });

  test("in chunks and without a media type is normal", async () => {
    const { server, device } = await withDeployment();
    const answer = await server.app.inject({
      method: "POST",
      url: NEXT_V2,
      headers: { authorization: `Bearer ${device.token}`, "transfer-encoding": "chunked" },
      payload: Readable.from(['{"device_provides":{"artifact_name":"factory",', '"device_type":"board"}}']),
    });
    expect(answer.statusCode).toBe(200);
  });

  test("with nothing to install is 204", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const device = await server.device("1");
    const answer = await server.call(`${DEVICE_API}/next?artifact_name=a&device_type=b`, device);
    expect([answer.statusCode, answer.body]).toEqual([204, ""]);
  });

  test("otherwise than before is 409", async () => {
    const { server, device, next } = await withDeployment();
    expect((await next()).statusCode).toBe(200);
    const answer = await server.call(`${DEVICE_API}/next?artifact_name=other&device_type=board`, device);
    expect([answer.statusCode, answer.json().error]).toEqual([409, "Device provided conflicting request data"]);
  });

  test.each([
    [{ device_type: "board" }, "artifact_name"],
    [{ artifact_name: "", device_type: "board" }, "artifact_name"],
    [{ artifact_name: "a", device_type: 5 }, "device_type"],
    [{ artifact_name: "a", device_type: "b".repeat(4097) }, "device_type"],
    [{ artifact_name: "a", device_type: "b", other: ["x"] }, "other"],
  ])("with %o is 400 and names the field %s", async (provides, field) => {
    const server = await TestServer.open({ autoAccept: true });
    const device = await server.device("1");
    for (const [path, body, prefix] of [
      [`${DEVICE_API}/next`, provides, ""],
      [NEXT_V2, { device_provides: provides }, "device_provides."],
    ] as const) {
      const answer = await server.call(path, { method: "POST", body, ...device });
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error).toMatch(new RegExp(`^${prefix}${field}: `));
    }
  });

  test("with a body above 1 MiB is 400: some clients hang on 413", async () => {
    const { server, device } = await withDeployment();
    const large = { method: "POST", body: Buffer.alloc(1024 * 1024 + 1, " "), ...device } as const;
    const headers = { "content-type": "application/json" };
    expect((await server.call(NEXT_V2, { ...large, headers })).statusCode).toBe(400);
    expect((await server.call(INVENTORY, { ...large, method: "PUT", headers })).statusCode).toBe(400);
  });
});

describe("reporting", () => {
  test("is 204, and seen by users", async () => {
    const { server, device, deployment, next, put } = await withDeployment();
    await next();
    const report = await put(`${deployment}/status`, { status: "downloading", substate: "half of it" });
    expect([report.statusCode, report.body]).toEqual([204, ""]);
    const devices = (await server.manage(`${DEPLOYMENTS}/deployments/${deployment}/devices`)).json();
    expect(devices).toEqual([
      expect.objectContaining({ id: device.id, status: "downloading", substate: "half of it", log: false }),
    ]);
    expect((await put(`${deployment}/status`, { status: "success" })).statusCode).toBe(204);
    expect((await put(`${deployment}/status`, { status: "success" })).statusCode).toBe(204);
    expect((await put(`${deployment}/status`, { status: "failure" })).statusCode).toBe(409);
  });

  test("after an abort is 409", async () => {
    const { server, deployment, next, put } = await withDeployment();
    await next();
    const path = `${DEPLOYMENTS}/deployments/${deployment}/status`;
    expect((await server.manage(path, { method: "PUT", body: { status: "aborted" } })).statusCode).toBe(204);
    const answer = await put(`${deployment}/status`, { status: "installing" });
    expect([answer.statusCode, answer.json().error]).toEqual([409, "Deployment aborted"]);
  });

  test.each(["pending", "aborted", "noartifact", "decommissioned", "gibberish", "", undefined])(
    "%j is 400: a device does not say that",
    async (status) => {
      const { deployment, next, put } = await withDeployment();
      await next();
      const answer = await put(`${deployment}/status`, { status });
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error).toMatch(/^status: /);
    },
  );

  test("a substate of more than 200 characters is 400, in words that fit on a line", async () => {
    const { deployment, next, put } = await withDeployment();
    await next();
    const answer = await put(`${deployment}/status`, { status: "installing", substate: "s".repeat(201) });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toMatch(/^substate: /);
    expect(answer.json().error.length).toBeLessThan(200);
  });

  test.each([NOTHING, "not-a-uuid", "..%2f..", "%0a"])("on the deployment %s is 404", async (id) => {
    const { next, put } = await withDeployment();
    await next();
    expect((await put(`${id}/status`, { status: "success" })).statusCode).toBe(404);
    const messages = [{ timestamp: "2027-01-01T00:00:00Z", level: "info", message: "m" }];
    expect((await put(`${id}/log`, { messages })).statusCode).toBe(404);
  });
});

describe("the log", () => {
  const message = { timestamp: "2027-01-01T01:00:00.5+01:00", level: "error", message: "it broke" };

  test("is shown as lines of text, in UTC, the last one sent", async () => {
    const { server, device, deployment, next, put } = await withDeployment();
    await next();
    const path = `${DEPLOYMENTS}/deployments/${deployment}/devices/${device.id}/log`;
    expect((await server.manage(path)).statusCode).toBe(404);
    expect((await put(`${deployment}/log`, { messages: [{ ...message, message: "first" }] })).statusCode).toBe(204);
    const messages = [message, { ...message, message: "and again" }];
    expect((await put(`${deployment}/log`, { messages })).statusCode).toBe(204);
    const shown = await server.manage(path);
    expect(shown.headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(shown.body).toBe("2027-01-01T00:00:00.500Z error: it broke\n2027-01-01T00:00:00.500Z error: and again\n");
    const [listed] = (await server.manage(`${DEPLOYMENTS}/deployments/${deployment}/devices`)).json();
    expect(listed.log).toBe(true);
  });

  test.each([
    [{ messages: [] }, "messages"],
    [{}, "messages"],
    [{ messages: [{ ...message, level: "" }] }, "messages.0.level"],
    [{ messages: [{ ...message, timestamp: "yesterday" }] }, "messages.0.timestamp"],
    [{ messages: [message, { timestamp: message.timestamp, level: "info" }] }, "messages.1.message"],
  ])("%o is 400 and names %s", async (body, field) => {
    const { deployment, next, put } = await withDeployment();
    await next();
    const answer = await put(`${deployment}/log`, body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toMatch(new RegExp(`^${field}: `));
  });

  test("above 1 MiB is 413", async () => {
    const { deployment, next, put } = await withDeployment();
    await next();
    const messages = Array.from({ length: 2000 }, () => ({ ...message, message: "m".repeat(600) }));
    expect((await put(`${deployment}/log`, { messages })).statusCode).toBe(413);
  });
});

describe("inventory", () => {
  test("PUT replaces, PATCH adds, and both answer 200 with nothing", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const device = await server.device("1");
    const send = (method: "PUT" | "PATCH", body: unknown) => server.call(INVENTORY, { method, body, ...device });
    const told = async () => {
      const shown = (await server.manage(`/api/management/v1/inventory/devices/${device.id}`)).json();
      const own = shown.attributes.filter(({ scope }: { scope: string }) => scope === "inventory");
      return Object.fromEntries(own.map(({ name, value }: { name: string; value: unknown }) => [name, value]));
    };
    const put = await send("PUT", [
      { name: "a", value: "1" },
      { name: "b", value: ["x", "y"] },
      { name: "c", value: 2.5, description: "two and a half" },
    ]);
    expect([put.statusCode, put.body, put.headers["content-length"]]).toEqual([200, "", "0"]);
    expect(await told()).toEqual({ a: "1", b: ["x", "y"], c: 2.5 });
    expect((await send("PATCH", [{ name: "a", value: "" }])).statusCode).toBe(200);
    expect(await told()).toEqual({ a: "", b: ["x", "y"], c: 2.5 });
    expect((await send("PUT", [{ name: "d", value: [1, 2] }])).statusCode).toBe(200);
    expect(await told()).toEqual({ d: [1, 2] });
  });

  test.each([[{ name: "a", value: "x" }], ["a"], [5]])("%j is 400", async (body) => {
    const server = await TestServer.open({ autoAccept: true });
    const device = await server.device("1");
    expect(
      (
        await server.call(INVENTORY, {
          method: "PUT",
          body: JSON.stringify(body),
          headers: { "content-type": "application/json" },
          ...device,
        })
      ).statusCode,
    ).toBe(400);
  });
});
