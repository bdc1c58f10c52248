import { createHmac, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { TestDevice } from "../domain-fixture.ts";
import { DEPLOYMENTS, DEVICE_API, makeArtifact, multipart, PASSWORD, TestServer } from "./fixture.ts";

const LOGIN = "/api/management/v1/useradm/auth/login";
const AUTH = "/api/devices/v1/authentication/auth_requests";
const SEARCH = "/api/management/v2/inventory/filters/search";
const NEXT = `${DEVICE_API}/next?artifact_name=factory&device_type=board`;

function encode(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

function decode(part: string | undefined): Record<string, unknown> {
  return JSON.parse(Buffer.from(part ?? "", "base64url").toString("utf8"));
}

async function both() {
  const server = await TestServer.open({ autoAccept: true });
  const device = await server.device("1");
  return { server, device };
}

describe("tokens", () => {
  test("of devices and of users are worth nothing on each other's side", async () => {
    const { server, device } = await both();
    expect((await server.call(`${DEPLOYMENTS}/artifacts`, { token: device.token })).statusCode).toBe(401);
    const answer = await server.call(NEXT, { token: server.userToken });
    expect([answer.statusCode, answer.body]).toEqual([401, ""]);
    expect((await server.call(NEXT, { headers: { cookie: `JWT=${device.token}` } })).statusCode).toBe(401);
  });

  test("that were made or changed by somebody else are refused, whatever they say of themselves", async () => {
    const { server, device } = await both();
    for (const [token, url] of [
      [device.token, NEXT],
      [server.userToken, `${DEPLOYMENTS}/artifacts`],
    ] as const) {
      const [header, payload, signature] = token.split(".");
      const claims = decode(payload);
      const { privateKey, publicKey } = generateKeyPairSync("ed25519");
      const signedBy = (head: object) => {
        const signed = `${encode(head)}.${payload}`;
        return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString("base64url")}`;
      };
      const hmac = (key: string | Buffer) => {
        const signed = `${encode({ ...decode(header), alg: "HS256" })}.${payload}`;
        return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
      };
      const attempts = [
        `${encode({ alg: "none", typ: "JWT" })}.${payload}.`,
        `${encode({ alg: "None", typ: "JWT" })}.${payload}.${signature}`,
        `${encode({ ...decode(header), alg: "none" })}.${payload}.`,
        `${header}.${payload}.`,
        `${header}.${encode({ ...claims, exp: 9_999_999_999, sub: "somebody" })}.${signature}`,
        signedBy(decode(header)),
        signedBy({ ...decode(header), jwk: publicKey.export({ format: "jwk" }) }),
        signedBy({ ...decode(header), kid: "../../../../dev/null" }),
        hmac(""),
        hmac(String(createPublicKey(privateKey).export({ type: "spki", format: "pem" }))),
        `${token}.${signature}`,
        `${token}=`,
        ` ${token.slice(1)}`,
        "a".repeat(100_000),
      ];
      for (const attempt of attempts) {
        expect((await server.call(url, { token: attempt })).statusCode, attempt.slice(0, 200)).toBe(401);
      }
      expect((await server.call(url, { token })).statusCode).toBeLessThan(300);
    }
  });
});

describe("authorisation requests", () => {
  const send = (server: TestServer, body: string | Uint8Array, signature: string) =>
    server.call(AUTH, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", "x-men-signature": signature },
    });

  test("that are signed anew by another key, or changed after they were signed, are refused", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const [own, other] = [new TestDevice('{"mac":"1"}').request(), new TestDevice('{"mac":"2"}').request()];
    expect((await send(server, own.body, other.signature ?? "")).statusCode).toBe(401);
    expect((await send(server, Buffer.concat([own.body, Buffer.from(" ")]), own.signature ?? "")).statusCode).toBe(401);
    expect((await send(server, own.body, "")).statusCode).toBe(400);
    expect((await send(server, own.body, own.signature ?? "")).statusCode).toBe(200);
  });

  test("that are sent again make nobody anew: a device that was rejected stays so", async () => {
    const server = await TestServer.open();
    const request = new TestDevice('{"mac":"1"}').request();
    await send(server, request.body, request.signature ?? "");
    const [device] = (await server.domain.devices.list({}, { page: 1, perPage: 1 })).items;
    const [set] = device?.authSets ?? [];
    await server.domain.devices.setAuthSetStatus(device?.id ?? "", set?.id ?? "", "rejected");
    expect((await send(server, request.body, request.signature ?? "")).statusCode).toBe(401);
    expect((await server.domain.devices.list({}, { page: 1, perPage: 5 })).total).toBe(1);
  });
});

describe("bodies", () => {
  const search = (server: TestServer, body: string) =>
    server.manage(SEARCH, { method: "POST", body, headers: { "content-type": "application/json" } });

  test.each([
    ["nested a hundred thousand deep", "[".repeat(100_000), "not JSON"],
    ["nested, and whole", `${"[".repeat(65)}${"]".repeat(65)}`, "nested deeper than 64 levels"],
    ["nested in objects", `${'{"a":'.repeat(65)}1${"}".repeat(65)}`, "nested deeper than 64 levels"],
    ["with a NUL", '{"text":"a\\u0000b"}', "NUL"],
  ])("%s are refused", async (_, body, message) => {
    const server = await TestServer.open();
    const answer = await search(server, body);
    expect([answer.statusCode, answer.json().error]).toEqual([400, expect.stringContaining(message)]);
  });

  test("with brackets in text are not nested, and a backslash before u0000 is no NUL", async () => {
    const server = await TestServer.open();
    expect((await search(server, JSON.stringify({ text: '["{'.repeat(200) }))).statusCode).toBe(200);
    expect((await search(server, JSON.stringify({ text: "\\u0000" }))).statusCode).toBe(200);
  });

  test("that would change what every object has change nothing", async () => {
    const server = await TestServer.open();
    const body = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
    const posted = await server.manage("/api/management/v1/useradm/settings", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    expect(posted.statusCode).toBe(201);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe("texts that other programs would take for orders", () => {
  const INJECTIONS = ["' OR '1'='1", "'; drop table devices; --", '" or 1=1 --', "%' --", "\\'; --", "$(reboot)"];

  test("are texts: in queries, paths, searches, filters and names", async () => {
    const { server, device } = await both();
    await server.uploaded();
    for (const text of INJECTIONS) {
      const quoted = encodeURIComponent(text);
      for (const url of [
        `${DEPLOYMENTS}/deployments?search=${quoted}`,
        `${DEPLOYMENTS}/artifacts?name=${quoted}`,
        `/api/management/v1/inventory/devices?identity%2Fmac=${quoted}`,
        `/api/management/v2/devauth/devices?id=${quoted}`,
        `/api/management/v2/deployments/deployments/releases?tag=${quoted}`,
      ]) {
        const answer = await server.manage(url);
        expect([answer.statusCode, answer.json()], url).toEqual([200, []]);
      }
      expect((await server.manage(`/api/management/v2/devauth/devices/${quoted}`)).statusCode).toBe(404);
      const found = await server.manage(SEARCH, { method: "POST", body: { text } });
      expect(found.json()).toEqual([]);
      const tags = `/api/management/v1/inventory/devices/${device.id}/tags`;
      expect((await server.manage(tags, { method: "PUT", body: [{ name: text, value: text }] })).statusCode).toBe(200);
    }
    expect((await server.manage("/api/management/v2/devauth/devices/count")).json()).toEqual({ count: 1 });
  });

  test.each(["(a+)+$", "(a|a)*$", "(.*a){25}$", "^(a?){50}a{50}$"])(
    "%s costs no more time than any other",
    async (value) => {
      const { server, device } = await both();
      const told = "a".repeat(4000);
      await server.call("/api/devices/v1/inventory/device/attributes", {
        method: "PUT",
        body: [{ name: "text", value: `${told}!` }],
        ...device,
      });
      // With an engine that goes back and forth this does not end while anybody is there to see it.
      const filters = [{ scope: "inventory", attribute: "text", type: "$regex", value }];
      const answer = await server.manage(SEARCH, { method: "POST", body: { filters } });
      expect([200, 400]).toContain(answer.statusCode);
    },
  );
});

describe("headers and multipart bodies", () => {
  test("cannot put anything into an answer's headers", async () => {
    const { server } = await both();
    const answer = await server.manage(`${DEPLOYMENTS}/artifacts`, {
      headers: {
        "x-men-requestid": "a\tb",
        "x-forwarded-host": "evil.example/path",
        "x-forwarded-proto": "javascript",
      },
    });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["x-men-requestid"]).toMatch(/^[0-9a-f-]{36}$/);
    const id = await server.uploaded();
    const link = await server.manage(`${DEPLOYMENTS}/artifacts/${id}/download`, {
      headers: { "x-forwarded-host": "evil.example/path", "x-forwarded-proto": "javascript" },
    });
    expect(link.json().uri).toMatch(/^http:\/\/localhost/);
  });

  test.each([
    ["two artifacts: the first counts", 2],
    ["a hundred parts too many", 200],
  ])("%s", async (_, count) => {
    const { server } = await both();
    const artifact = await makeArtifact();
    const parts = Array.from({ length: count }, (_unused, at) =>
      count === 2 ? (["artifact", at === 0 ? artifact : Buffer.from("x")] as const) : (["description", "x"] as const),
    );
    const answer = await server.manage(`${DEPLOYMENTS}/artifacts`, { method: "POST", ...multipart(parts) });
    expect(answer.statusCode).toBe(count === 2 ? 201 : 400);
  });

  test("a file name in a part is never a path", async () => {
    const { server } = await both();
    const boundary = "b";
    const head = 'Content-Disposition: form-data; name="artifact"; filename="../../../../tmp/evil"';
    const body = Buffer.concat([
      Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`),
      await makeArtifact(),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
    const answer = await server.manage(`${DEPLOYMENTS}/artifacts`, { method: "POST", body, headers });
    expect(answer.statusCode).toBe(201);
    expect(server.blobFiles()).toEqual([String(answer.headers.location).split("/").at(-1)]);
  });
});

test("nothing secret is in the log of a whole session", async () => {
  const { server, device } = await both();
  await server.uploaded();
  await server.deployed("release-1", [device.id]);
  const basic = Buffer.from(`admin@example.com:${PASSWORD}`).toString("base64");
  const login = await server.call(LOGIN, { method: "POST", headers: { authorization: `Basic ${basic}` } });
  const wrong = Buffer.from("admin@example.com:a wrong guess").toString("base64");
  await server.call(LOGIN, { method: "POST", headers: { authorization: `Basic ${wrong}` } });
  const personal = await server.manage("/api/management/v1/useradm/settings/tokens", {
    method: "POST",
    body: { name: "pipeline" },
  });
  await server.manage("/api/management/v1/useradm/users", {
    method: "POST",
    body: { email: "new@example.com", password: "the new user's password" },
  });
  await server.manage("/api/management/v1/useradm/users/me", {
    method: "PUT",
    body: { password: "short", current_password: "the current password" },
  });
  const request = new TestDevice('{"mac":"1"}').request();
  const authorised = await server.call(AUTH, {
    method: "POST",
    body: request.body,
    headers: { "content-type": "application/json", "x-men-signature": request.signature ?? "" },
  });
  expect(authorised.statusCode).toBe(200);
  const next = (await server.call(NEXT, { token: authorised.body })).json();
  const link = new URL(next.artifact.source.uri);
  await server.call(link.pathname + link.search);
  await server.call(link.pathname + link.search.toUpperCase());

  const log = server.logLines.join("");
  expect(log).toContain("auth/login");
  const signature = link.searchParams.get("x-men-signature") ?? "";
  expect(signature).not.toBe("");
  for (const secret of [
    PASSWORD,
    basic,
    wrong,
    "a wrong guess",
    login.body,
    personal.body,
    authorised.body,
    server.userToken,
    device.token,
    "the new user's password",
    "the current password",
    request.signature ?? "no signature",
    signature,
    signature.toUpperCase(),
  ]) {
    expect(log.includes(secret), secret).toBe(false);
    expect(log.includes(secret.split(".").at(-1) ?? secret), secret).toBe(false);
  }
});
