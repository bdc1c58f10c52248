import { given } from "@upkeep/shared/given";
import { describe, expect, test } from "vitest";
import { DEPLOYMENTS, makeArtifact, multipart, PASSWORD, TestServer } from "./fixture.ts";

const BASE = "/api/management/v1/useradm";
const OTHER_PASSWORD = "quite another one";

function logIn(server: TestServer, email: string, password: string, cookie?: string) {
  const authorization = `Basic ${Buffer.from(`${email}:${password}`).toString("base64")}`;
  const headers = { authorization, ...given({ cookie }) };
  return server.call(`${BASE}/auth/login`, { method: "POST", headers });
}

async function withUser(role: string) {
  const server = await TestServer.open({ autoAccept: true });
  const email = `a-${role}@example.com`;
  const made = await server.manage(`${BASE}/users`, {
    method: "POST",
    body: { email: email.toUpperCase(), password: PASSWORD, role },
  });
  expect([made.statusCode, made.body]).toEqual([201, ""]);
  const token = (await logIn(server, email, PASSWORD)).body;
  return { server, email, token, id: String(made.headers.location).split("/").at(-1) ?? "" };
}

describe("users", () => {
  test("are made, shown, changed and removed", async () => {
    const { server, email, token, id } = await withUser("admin");
    const emails = (await server.manage(`${BASE}/users`)).json().map((user: { email: string }) => user.email);
    expect(emails).toEqual(["admin@example.com", email]);
    expect((await server.call(`${BASE}/users/me`, { token })).json()).toMatchObject({ id, email, role: "admin" });
    expect((await server.manage(`${BASE}/users/${id}`, { method: "DELETE" })).statusCode).toBe(204);
    expect((await server.call(`${BASE}/users/me`, { token })).statusCode).toBe(401);
  });
});

describe("passwords", () => {
  test("are changed by their owners, who tell the old one; other sessions end", async () => {
    const { server, email, token } = await withUser("read-only");
    const another = (await logIn(server, email, PASSWORD)).body;
    const change = (body: object) => server.call(`${BASE}/users/me`, { method: "PUT", token, body });
    expect((await change({ password: OTHER_PASSWORD })).statusCode).toBe(422);
    expect((await change({ password: OTHER_PASSWORD, current_password: "a guess" })).statusCode).toBe(422);
    expect((await change({ password: OTHER_PASSWORD, current_password: PASSWORD })).statusCode).toBe(204);
    expect((await server.call(`${BASE}/users/me`, { token: another })).statusCode).toBe(401);
    expect((await server.call(`${BASE}/users/me`, { token })).statusCode).toBe(200);
    expect((await logIn(server, email, PASSWORD)).statusCode).toBe(401);
    expect((await logIn(server, email, OTHER_PASSWORD)).statusCode).toBe(200);
  });
});

describe("a password that an administrator sets for somebody else", () => {
  test("needs no old one, ends the user's logins, and the log tells who set it", async () => {
    const { server, email, token, id } = await withUser("read-only");
    const set = await server.manage(`${BASE}/users/${id}`, { method: "PUT", body: { password: OTHER_PASSWORD } });
    expect([set.statusCode, set.headers["x-upkeep-warning"]]).toEqual([204, undefined]);
    expect((await server.call(`${BASE}/users/me`, { token })).statusCode).toBe(401);
    expect((await logIn(server, email, PASSWORD)).statusCode).toBe(401);
    expect((await logIn(server, email, OTHER_PASSWORD)).statusCode).toBe(200);
    const { id: admin } = (await server.manage(`${BASE}/users/me`)).json();
    const told = server.logLines.map((line) => JSON.parse(line)).find(({ message }) => message.includes("was changed"));
    expect(told).toMatchObject({ message: `user ${id} was changed by user ${admin}: password`, user: id, by: admin });
    expect(JSON.stringify(server.logLines)).not.toContain(OTHER_PASSWORD);
  });

  test("is not set by others, nor by an administrator for the own account without the old one", async () => {
    const { server, token } = await withUser("read-only");
    const { id: admin } = (await server.manage(`${BASE}/users/me`)).json();
    const body = { password: OTHER_PASSWORD };
    expect((await server.call(`${BASE}/users/${admin}`, { method: "PUT", body, token })).statusCode).toBe(403);
    expect((await server.manage(`${BASE}/users/${admin}`, { method: "PUT", body })).statusCode).toBe(422);
    expect((await server.manage(`${BASE}/users/me`, { method: "PUT", body })).statusCode).toBe(422);
  });
});

describe("personal access tokens", () => {
  test("that outlive a change of the password are counted in the answer, and end when that is asked for", async () => {
    const { server, token, id } = await withUser("read-only");
    const make = async (name: string) =>
      (await server.call(`${BASE}/settings/tokens`, { method: "POST", token, body: { name, expires_in: 0 } })).body;
    const made = [await make("one"), await make("two")];
    const works = async () =>
      Promise.all(made.map(async (one) => (await server.call(`${BASE}/users/me`, { token: one })).statusCode));
    const change = { password: OTHER_PASSWORD, current_password: PASSWORD };
    const kept = await server.call(`${BASE}/users/me`, { method: "PUT", token, body: change });
    expect([kept.statusCode, kept.headers["x-upkeep-warning"]]).toEqual([
      204,
      "2 personal access tokens of the user go on working; revoke_tokens: true ends them",
    ]);
    expect(await works()).toEqual([200, 200]);
    const body = { revoke_tokens: true };
    expect((await server.manage(`${BASE}/users/${id}`, { method: "PUT", body })).statusCode).toBe(204);
    expect(await works()).toEqual([401, 401]);
    made.push(await make("three"));
    const both = { password: PASSWORD, current_password: OTHER_PASSWORD, revoke_tokens: true };
    const ended = await server.call(`${BASE}/users/me`, { method: "PUT", token, body: both });
    expect([ended.statusCode, ended.headers["x-upkeep-warning"]]).toEqual([204, undefined]);
    expect(await works()).toEqual([401, 401, 401]);
  });
});

describe("roles", () => {
  test("read-only looks at everything and changes nothing but what is its own", async () => {
    const { server, token, id } = await withUser("read-only");
    const status = async (url: string, method: "GET" | "POST" | "PUT" | "DELETE", body?: unknown) =>
      (await server.call(url, { method, token, ...given({ body }) })).statusCode;
    expect(await status(`${DEPLOYMENTS}/deployments`, "GET")).toBe(200);
    expect(await status(`${DEPLOYMENTS}/deployments/statistics/list`, "POST", {})).toBe(200);
    expect(await status("/api/management/v2/inventory/filters/search", "POST", {})).toBe(200);
    expect(await status(`${DEPLOYMENTS}/deployments`, "POST", {})).toBe(403);
    expect(await status(`${BASE}/users`, "POST", { email: "b@example.com", password: PASSWORD })).toBe(403);
    expect(await status(`${BASE}/users/me`, "PUT", { role: "admin" })).toBe(403);
    expect(await status(`${BASE}/settings`, "POST", {})).toBe(403);
    expect(await status(`${BASE}/settings/me`, "POST", { dark: true })).toBe(201);
    expect(await status(`${BASE}/users/${id}`, "PUT", { email: "c@example.com" })).toBe(204);
    const upload = await server.call(`${DEPLOYMENTS}/artifacts`, {
      method: "POST",
      token,
      ...multipart([["artifact", await makeArtifact()]]),
    });
    expect(upload.statusCode).toBe(403);
    expect(server.blobFiles()).toEqual([]);
  });

  test("ci-upload brings artifacts, also with a personal access token, and sees nothing", async () => {
    const { server, token } = await withUser("ci-upload");
    const made = await server.call(`${BASE}/settings/tokens`, {
      method: "POST",
      token,
      body: { name: "pipeline", expires_in: 3600 },
    });
    expect([made.statusCode, made.headers["content-type"]]).toEqual([200, "application/jwt"]);
    const pipeline = { token: made.body };
    const upload = { method: "POST", ...multipart([["artifact", await makeArtifact()]]), ...pipeline } as const;
    expect((await server.call(`${DEPLOYMENTS}/artifacts`, upload)).statusCode).toBe(201);
    for (const path of [
      `${DEPLOYMENTS}/artifacts`,
      `${BASE}/users`,
      "/metrics",
      "/api/management/v2/devauth/devices",
    ]) {
      expect((await server.call(path, pipeline)).statusCode).toBe(403);
    }
    const [listed] = (await server.call(`${BASE}/settings/tokens`, { token })).json();
    expect(listed).toMatchObject({ name: "pipeline", last_used: expect.any(String) });
    expect((await server.call(`${BASE}/settings/tokens/${listed.id}`, { method: "DELETE", token })).statusCode).toBe(
      204,
    );
    expect((await server.call(`${BASE}/users/me`, pipeline)).statusCode).toBe(401);
  });
});

describe("settings", () => {
  test("are kept for all and for each, and not overwritten unseen", async () => {
    const { server, token } = await withUser("admin");
    const first = await server.manage(`${BASE}/settings`);
    expect(first.json()).toEqual({});
    const put = (etag: string) =>
      server.manage(`${BASE}/settings`, { method: "POST", body: { retries: 2 }, headers: { "if-match": etag } });
    expect((await put(String(first.headers.etag))).statusCode).toBe(201);
    expect((await put(String(first.headers.etag))).statusCode).toBe(412);
    expect((await server.call(`${BASE}/settings`, { token })).json()).toEqual({ retries: 2 });
    expect((await server.call(`${BASE}/settings/me`, { token })).json()).toEqual({});
  });
});

describe("guessing passwords", () => {
  const LOGIN = "admin@example.com";

  test("is slowed down, for the account wherever the guesses come from; the right password then has to wait too", async () => {
    const server = await TestServer.open();
    for (let guess = 0; guess < 5; guess++) expect((await logIn(server, LOGIN, "wrong")).statusCode).toBe(401);
    const blocked = await logIn(server, LOGIN.toUpperCase(), PASSWORD);
    expect([blocked.statusCode, blocked.headers["retry-after"]]).toEqual([429, "180"]);
    server.system.nowMs += 180_000;
    expect((await logIn(server, LOGIN, "wrong")).statusCode).toBe(401);
    expect((await logIn(server, LOGIN, PASSWORD)).headers["retry-after"]).toBe("180");
    server.system.nowMs += 180_000;
    expect((await logIn(server, LOGIN, PASSWORD)).statusCode).toBe(200);
    expect((await logIn(server, LOGIN, "wrong")).statusCode).toBe(401);
  });

  test("does not keep a client waiting that has logged in before, though the guesses come from its own address", async () => {
    const server = await TestServer.open();
    const first = await logIn(server, LOGIN, PASSWORD);
    const [cookie = "", ...attributes] = String(first.headers["set-cookie"]).split("; ");
    expect(attributes).toEqual(
      expect.arrayContaining(["HttpOnly", "SameSite=Strict", "Path=/api/management/v1/useradm/auth"]),
    );
    for (let guess = 0; guess < 30; guess++) await logIn(server, LOGIN, "wrong");
    expect((await logIn(server, LOGIN, PASSWORD)).statusCode).toBe(429);
    expect((await logIn(server, LOGIN, PASSWORD, `upkeep-known-client=${server.userToken}`)).statusCode).toBe(429);
    expect((await logIn(server, LOGIN, PASSWORD, cookie)).statusCode).toBe(200);
    // It lets nobody in, and is good for one account only.
    expect((await server.call(`${BASE}/users/me`, { token: cookie.split("=")[1] ?? "" })).statusCode).toBe(401);
    for (let guess = 0; guess < 5; guess++) {
      expect((await logIn(server, LOGIN, "wrong", cookie)).statusCode).toBe(401);
    }
    expect((await logIn(server, LOGIN, "wrong", cookie)).statusCode).toBe(429);
  });

  test("of an old password keeps nobody with a new one waiting", async () => {
    const server = await TestServer.open();
    for (let guess = 0; guess < 6; guess++) await logIn(server, LOGIN, "wrong");
    expect((await logIn(server, LOGIN, PASSWORD)).statusCode).toBe(429);
    const { users } = server.domain;
    const admin = await users.verify(server.userToken);
    const change = { password: OTHER_PASSWORD, currentPassword: PASSWORD };
    await users.accounts.update(admin, admin.userId, change);
    expect((await logIn(server, LOGIN, OTHER_PASSWORD)).statusCode).toBe(200);
  });

  test("is slowed down with a token as well, where the old password is told for a new one", async () => {
    const server = await TestServer.open();
    const change = (guess: string) =>
      server.manage(`${BASE}/users/me`, {
        method: "PUT",
        body: { password: OTHER_PASSWORD, current_password: guess },
      });
    for (let guess = 0; guess < 5; guess++) expect((await change(`guess ${guess}`)).statusCode).toBe(422);
    expect((await change(PASSWORD)).statusCode).toBe(429);
    expect((await logIn(server, LOGIN, PASSWORD)).statusCode).toBe(200);
  });

  test("is slowed down for the address, whatever accounts it tries", async () => {
    const server = await TestServer.open();
    const tries = Array.from({ length: 21 }, (_, n) => logIn(server, `nobody-${n}@example.com`, "wrong"));
    const statuses = (await Promise.all(tries)).map(({ statusCode }) => statusCode);
    expect(statuses.filter((status) => status === 429)).toHaveLength(1);
    expect((await logIn(server, LOGIN, PASSWORD)).statusCode).toBe(429);
  });
});

test("there is one plan, which says what programs may offer", async () => {
  const server = await TestServer.open();
  const plans = (await server.manage("/api/management/v1/useradm/plans")).json();
  expect(plans).toMatchObject([{ name: "enterprise", features: { dynamic_groups: true, terminal: false } }]);
  expect((await server.manage("/api/management/v1/useradm/plan_binding")).json()).toEqual({ plan: plans[0] });
});
