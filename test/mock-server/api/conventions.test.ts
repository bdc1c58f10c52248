import { Readable } from "node:stream";
import { given } from "@upkeep/shared/given";
import { type OpenMode, SystemError } from "@upkeep/shared/system";
import { describe, expect, test, vi } from "vitest";
import { DEPLOYMENTS, DEVICE_API, PASSWORD, TestServer } from "./fixture.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

describe("every answer", () => {
  test("carries the request's id: the client's own, or a new one", async () => {
    const server = await TestServer.open();
    const own = await server.manage(`${DEPLOYMENTS}/artifacts`, { headers: { "x-men-requestid": "my-id" } });
    expect(own.headers["x-men-requestid"]).toBe("my-id");
    const made = await server.call("/nowhere");
    expect(made.headers["x-men-requestid"]).toMatch(UUID);
    expect(made.json()).toEqual({ error: "not found", request_id: made.headers["x-men-requestid"] });
  });

  test("carries a new id where the client's own would not fit into a log", async () => {
    const server = await TestServer.open();
    const answer = await server.call("/nowhere", { headers: { "x-men-requestid": `a b${"c".repeat(200)}` } });
    expect(answer.headers["x-men-requestid"]).toMatch(UUID);
  });
});

describe("paths and methods", () => {
  test.each([
    "/",
    "/api",
    "/api/management/v1/deployments/",
    "/../../etc/passwd",
    "/api/management/v1/deployments/artifacts/../../../../etc/passwd",
    "/api/devices/v1/deployments/download/artifact/..%2f..%2fetc%2fpasswd/x",
    "/api/devices/v1/deployments/download/artifact/%00",
  ])("%s is not there", async (path) => {
    const server = await TestServer.open();
    const answer = await server.call(path);
    expect([400, 403, 404]).toContain(answer.statusCode);
    expect(answer.json()).toMatchObject({ error: expect.any(String), request_id: expect.any(String) });
  });

  test("a path that cannot be decoded is 400, with the usual error", async () => {
    const server = await TestServer.open();
    const answer = await server.call("/%zz");
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toEqual({ error: expect.stringContaining("%zz"), request_id: expect.any(String) });
    expect(answer.headers["x-men-requestid"]).toBe(answer.json().request_id);
  });

  test("a wrong method is 405 and names the right ones", async () => {
    const server = await TestServer.open();
    const answer = await server.call(`${DEPLOYMENTS}/artifacts`, { method: "PATCH" });
    expect(answer.statusCode).toBe(405);
    expect(answer.json()).toEqual({ error: "method not allowed", request_id: expect.any(String) });
    expect(answer.headers.allow).toEqual(["GET", "POST"]);
  });

  test("OPTIONS names the methods, one header line each", async () => {
    const server = await TestServer.open();
    const answer = await server.call(`${DEVICE_API}/next`, { method: "OPTIONS" });
    expect(answer.statusCode).toBe(204);
    expect(answer.headers.allow).toEqual(["GET", "HEAD", "POST"]);
    expect((await server.call("/nowhere", { method: "OPTIONS" })).statusCode).toBe(404);
  });
});

describe("JSON bodies", () => {
  const create = { method: "POST", body: '{"name":"a","artifact_name":"b","devices":["c"]}' } as const;
  const path = `${DEPLOYMENTS}/deployments`;

  test.each([
    [{}, 400],
    [{ "content-type": "json" }, 400],
    [{ "content-type": "text/plain" }, 415],
    [{ "content-type": "application/x-www-form-urlencoded" }, 415],
    [{ "content-type": "application/json" }, 400],
    [{ "content-type": "Application/JSON; charset=utf-8" }, 400],
  ])("with the headers %o get as far as %i", async (headers, status) => {
    const server = await TestServer.open();
    const answer = await server.manage(path, { ...create, headers });
    expect(answer.statusCode).toBe(status);
    const refusedForDevice = answer.json().error.includes("c");
    if ("content-type" in headers && headers["content-type"].toLowerCase().startsWith("application/json")) {
      expect(refusedForDevice).toBe(true);
    }
  });

  test("sent in chunks are not asked what they are", async () => {
    const server = await TestServer.open();
    const answer = await server.app.inject({
      method: "POST",
      url: path,
      headers: { authorization: `Bearer ${server.userToken}`, "transfer-encoding": "chunked" },
      payload: Readable.from(["not ", "json"]),
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toContain("the request's body is not JSON");
  });

  test("that are no JSON, no UTF-8 or not there are refused in words", async () => {
    const server = await TestServer.open();
    const send = async (body: string | Uint8Array | undefined) =>
      (
        await server.manage(path, {
          method: "POST",
          headers: { "content-type": "application/json" },
          ...given({ body }),
        })
      ).json().error;
    expect(await send('{"name":')).toContain("the request's body is not JSON");
    expect(await send(Buffer.from([0x22, 0xff, 0x22]))).toContain("the request's body is not JSON");
    expect(await send(undefined)).toBe("the request has no body");
  });

  test("that break a rule are refused by field and value", async () => {
    const server = await TestServer.open();
    const answer = await server.manage(path, { method: "POST", body: { name: 5, artifact_name: "b", devices: "all" } });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toBe(
      "name: Invalid input: expected string, received number (got 5); " +
        'devices: Invalid input: expected array, received string (got "all")',
    );
  });

  test("above 1 MiB are 413 for users", async () => {
    const server = await TestServer.open();
    const answer = await server.manage(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Buffer.alloc(1024 * 1024 + 1, " "),
    });
    expect(answer.statusCode).toBe(413);
    expect(answer.json().error).toBe("the request's body is larger than 1048576 bytes");
  });
});

describe("users", () => {
  test.each([
    ["no header", {}],
    ["another scheme", { authorization: "Basic YTpi" }],
    ["a token of nobody", { authorization: "Bearer a.b.c" }],
    ["an empty token", { authorization: "Bearer " }],
    ["a cookie of nobody", { cookie: "JWT=a.b.c" }],
  ])("are told to log in: %s", async (_, headers) => {
    const server = await TestServer.open();
    const answer = await server.call(`${DEPLOYMENTS}/artifacts`, { headers });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe('Bearer realm="ManagementJWT"');
    expect(answer.json()).toEqual({ error: "unauthorized", request_id: expect.any(String) });
  });

  test("are known by a header in any case, and by a cookie", async () => {
    const server = await TestServer.open();
    for (const headers of [
      { authorization: `bEaReR ${server.userToken}` },
      { cookie: `a=b; JWT=${server.userToken}; c=d` },
    ]) {
      expect((await server.call(`${DEPLOYMENTS}/artifacts`, { headers })).statusCode).toBe(200);
    }
  });

  test("are not devices, and devices are not users", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const { token } = await server.device("1");
    expect((await server.call(`${DEPLOYMENTS}/artifacts`, { token })).statusCode).toBe(401);
    const asDevice = await server.manage(`${DEVICE_API}/next?artifact_name=a&device_type=b`);
    expect(asDevice.statusCode).toBe(401);
    expect(asDevice.body).toBe("");
  });

  test("log in with e-mail and password, and out again", async () => {
    const server = await TestServer.open();
    const login = "/api/management/v1/useradm/auth/login";
    const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });
    const answer = await server.call(login, { method: "POST", headers: basic(`Admin@Example.com:${PASSWORD}`) });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/jwt");
    const token = answer.body;
    expect((await server.call(`${DEPLOYMENTS}/artifacts`, { token })).statusCode).toBe(200);
    const out = await server.call("/api/management/v1/useradm/auth/logout", { method: "POST", token });
    expect(out.statusCode).toBe(202);
    expect((await server.call(`${DEPLOYMENTS}/artifacts`, { token })).statusCode).toBe(401);

    const wrong = await server.call(login, { method: "POST", headers: basic("admin@example.com:wrong") });
    expect([wrong.statusCode, wrong.json().error]).toEqual([401, "unauthorized"]);
    const missing = await server.call(login, { method: "POST" });
    expect([missing.statusCode, missing.json().error]).toEqual([401, "invalid or missing auth header"]);
    const lasting = await server.call(login, {
      method: "POST",
      headers: basic(`admin@example.com:${PASSWORD}`),
      body: { no_expiry: true },
    });
    const [, claims = ""] = lasting.body.split(".");
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).not.toHaveProperty("exp");
  });

  test("need no login with insecureNoAuth, from this machine only and not from a web page of others", async () => {
    const server = await TestServer.open({ insecureNoAuth: true });
    const path = `${DEPLOYMENTS}/artifacts`;
    const statusWith = async (headers: Record<string, string>) => (await server.call(path, { headers })).statusCode;
    expect(await statusWith({ host: "127.0.0.1:8080" })).toBe(200);
    expect(await statusWith({ host: "[::1]:8080" })).toBe(200);
    expect(await statusWith({ host: "localhost:8080", origin: "http://localhost:8080" })).toBe(200);
    expect(await statusWith({ host: "localhost:8080", origin: "https://evil.example" })).toBe(403);
    expect(await statusWith({ host: "localhost:8080", origin: "null" })).toBe(403);
    expect(await statusWith({ host: "rebound.example:8080" })).toBe(403);
    // Devices still need their tokens.
    expect((await server.call(`${DEVICE_API}/next?artifact_name=a&device_type=b`)).statusCode).toBe(401);
  });
});

describe("faults of the server", () => {
  test("tell the outside nothing and the log everything", async () => {
    const server = await TestServer.open();
    vi.spyOn(server.domain.artifacts, "list").mockRejectedValue(new Error("the disk is on fire"));
    const answer = await server.manage(`${DEPLOYMENTS}/artifacts`);
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toEqual({ error: "internal error", request_id: expect.any(String) });
    const logged = server.logLines.map((line) => JSON.parse(line)).find(({ level }) => level === "error");
    expect(logged).toMatchObject({
      request_id: answer.json().request_id,
      error: { message: "the disk is on fire", stack: expect.any(String) },
    });
  });

  test("a full disk is told", async () => {
    const server = await TestServer.open({}, (system) => ({
      ...system,
      files: new Proxy(system.files, {
        get: (files, name) => {
          if (name === "open") {
            return (path: string, mode: OpenMode) =>
              path.includes("/artifacts/")
                ? Promise.reject(new SystemError("ENOSPC", "no space left on device"))
                : files.open(path, mode);
          }
          const value: unknown = Reflect.get(files, name);
          return typeof value === "function" ? value.bind(files) : value;
        },
      }),
    }));
    const answer = await server.upload(Buffer.from("anything"));
    expect(answer.statusCode).toBe(507);
    expect(answer.json().error).toBe("no space left on the server");
  });
});

describe("the access log", () => {
  test("has one line for a request, with its id and who asked, and no secrets", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const device = await server.device("1");
    await server.uploaded();
    await server.deployed("release-1", [device.id]);
    const next = await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
    const uri = new URL(next.json().artifact.source.uri);
    await server.call(uri.pathname + uri.search);
    await server.call("/api/management/v1/useradm/auth/login", {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`admin@example.com:${PASSWORD}`).toString("base64")}` },
    });
    const lines = server.logLines.map((line) => JSON.parse(line));
    const asked = lines.find(({ request_id }) => request_id === next.headers["x-men-requestid"]);
    expect(asked).toMatchObject({
      level: "info",
      message: `GET ${DEVICE_API}/next?artifact_name=factory&device_type=board 200`,
      device: device.id,
    });
    expect(lines.filter(({ message }) => message.includes("/download/artifact/"))).toHaveLength(1);
    const everything = server.logLines.join("");
    expect(everything).not.toContain(uri.searchParams.get("x-men-signature"));
    expect(everything).not.toContain(server.userToken);
    expect(everything).not.toContain(device.token);
    expect(everything).not.toContain(PASSWORD);
  });
});
