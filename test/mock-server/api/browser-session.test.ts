import { expect, test } from "vitest";
import { DEPLOYMENTS, PASSWORD, TestServer } from "./fixture.ts";

const SESSION = "/api/management/v1/useradm/auth/session";
const OWN = "http://updates.example.com";
const HOST = { host: "updates.example.com" };
const LOGIN = { email: "admin@example.com", password: PASSWORD };

interface Cookie {
  readonly name: string;
  readonly value: string;
  /** With the name and value. */
  readonly line: string;
}

function cookiesOf(answer: Awaited<ReturnType<TestServer["call"]>>): readonly Cookie[] {
  return [answer.headers["set-cookie"] ?? []].flat().map((line) => {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    return { name, value, line };
  });
}

async function logIn(server: TestServer): Promise<{ readonly cookie: string }> {
  const answer = await server.call(SESSION, { method: "POST", body: LOGIN, headers: HOST });
  expect(answer.statusCode, answer.body).toBe(200);
  const [session] = cookiesOf(answer);
  return { cookie: `${session?.name}=${session?.value}` };
}

test("a login sets a cookie that no script reads and no other site sends, and tells what the user may do", async () => {
  const server = await TestServer.open();
  const answer = await server.call(SESSION, { method: "POST", body: LOGIN, headers: HOST });
  expect(answer.json()).toEqual({
    user: { id: expect.any(String), email: "admin@example.com" },
    role: "admin",
    permissions: ["read", "upload", "self", "write"],
  });
  const [session, knownClient] = cookiesOf(answer);
  expect(session?.name).toMatch(/^upkeep-session-[0-9a-f]{8}$/);
  expect(session?.line).toContain("; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800");
  expect(session?.line).not.toContain("Secure");
  expect(knownClient?.name).toBe("upkeep-known-client");
  const shown = await server.call(SESSION, { headers: { cookie: `a=b; ${session?.name}=${session?.value}` } });
  expect(shown.json()).toEqual(answer.json());
});

test("under TLS the cookie is bound to the host and to TLS", async () => {
  const server = await TestServer.open({ publicUrl: "https://updates.example.com" });
  const [session] = cookiesOf(await server.call(SESSION, { method: "POST", body: LOGIN }));
  expect(session?.line).toMatch(/^__Host-upkeep-session-[0-9a-f]{8}=.*; Path=\/;.*; Secure$/);
  const cookie = `${session?.name}=${session?.value}`;
  expect((await server.call(SESSION, { headers: { cookie } })).statusCode).toBe(200);
});

test("a wrong password is refused, and counts as a wrong one of the other login", async () => {
  const server = await TestServer.open();
  const body = { ...LOGIN, password: "not the password" };
  const statuses: number[] = [];
  for (let tries = 0; tries < 30 && statuses.at(-1) !== 429; tries++) {
    const answer = await server.call(SESSION, { method: "POST", body, headers: HOST });
    statuses.push(answer.statusCode);
    expect(cookiesOf(answer)).toEqual([]);
  }
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
});

test.each([
  ["from a page of the server", { origin: OWN }, 204],
  ["from a browser that names the site instead of the origin", { "sec-fetch-site": "same-origin" }, 204],
  ["from another site", { origin: "https://evil.example" }, 403],
  ["from another port of the same host", { origin: `${OWN}:3000` }, 403],
  ["from a page that names no origin", { origin: "null" }, 403],
  ["from another page of the site", { "sec-fetch-site": "same-site" }, 403],
  ["that says nothing of where it comes from", {}, 403],
])("a change with the cookie, %s: %o, is answered with %i", async (_, from, status) => {
  const server = await TestServer.open();
  const session = await logIn(server);
  const headers = { ...HOST, ...session, ...from };
  const path = "/api/management/v1/useradm/settings/tokens/no-token";
  expect((await server.call(path, { method: "DELETE", headers })).statusCode).toBe(status);
});

test("behind a proxy the origin is that which the browser sees", async () => {
  const server = await TestServer.open({ publicUrl: "https://updates.example.com/ota" });
  const { cookie } = await logIn(server);
  const path = "/api/management/v1/useradm/settings/tokens/no-token";
  const from = (origin: string) => server.call(path, { method: "DELETE", headers: { cookie, origin } });
  expect((await from("https://updates.example.com")).statusCode).toBe(204);
  expect((await from("http://updates.example.com")).statusCode).toBe(403);
});

test("after a logout the cookie is worthless, and the browser is told to forget it", async () => {
  const server = await TestServer.open();
  const session = await logIn(server);
  const answer = await server.call(SESSION, { method: "DELETE", headers: { ...HOST, ...session, origin: OWN } });
  expect(answer.statusCode).toBe(204);
  expect(cookiesOf(answer)[0]?.line).toMatch(/^upkeep-session-[0-9a-f]{8}=; .*Max-Age=0/);
  expect((await server.call(`${DEPLOYMENTS}/artifacts`, { headers: session })).statusCode).toBe(401);
});

test("a server without logins has a session without a user", async () => {
  const server = await TestServer.open({ insecureNoAuth: true });
  const answer = await server.call(SESSION, { headers: { host: "127.0.0.1:8080" } });
  expect(answer.json()).toEqual({ role: "admin", permissions: ["read", "upload", "self", "write"] });
});
