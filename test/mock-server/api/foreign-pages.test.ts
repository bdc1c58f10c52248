import { expect, test } from "vitest";
import { startServer } from "../../../mock-server/testing/index.ts";
import { DEPLOYMENTS, makeArtifact, multipart, TestServer } from "./fixture.ts";

interface Operation {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** The name of the security scheme; absent: anybody may call. */
  readonly scheme: string | undefined;
}

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly security?: readonly Readonly<Record<string, unknown>>[] }>>>
  >;
}

/** Every operation of a server, as its own OpenAPI document lists them. */
function operationsOf(document: Document): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security = [] }]) => ({
      method: method.toUpperCase() as Operation["method"],
      path: path.replaceAll(/\{[^}]+\}/g, "00000000-0000-4000-8000-000000000000"),
      scheme: Object.keys(security[0] ?? {})[0],
    })),
  );
}

/** What may be changed without a token, and what is shown instead of one. */
const CHANGED_WITHOUT_A_TOKEN: Readonly<Record<string, string>> = {
  "/api/devices/v1/authentication/auth_requests": "the signature of the device's key",
  "/api/management/v1/useradm/auth/login": "the password",
  "/api/management/v1/useradm/auth/session": "the password",
  "/api/management/v1/deployments/artifacts/directupload/00000000-0000-4000-8000-000000000000": "a signed link",
};

const FOREIGN = { origin: "https://evil.example", host: "updates.example.com" };

test("no operation that changes something takes the cookie, wherever the page is from that sends it", async () => {
  const server = await TestServer.open();
  const operations = operationsOf((await server.call("/api/openapi.json")).json());
  const changing = operations.filter(({ method }) => method !== "GET");
  expect(changing.length).toBeGreaterThan(40);
  for (const { method, path, scheme } of changing) {
    if (scheme === undefined) {
      expect(Object.keys(CHANGED_WITHOUT_A_TOKEN)).toContain(path);
      continue;
    }
    for (const origin of [{}, FOREIGN]) {
      const answer = await server.call(path, { method, headers: { cookie: `JWT=${server.userToken}`, ...origin } });
      expect([method, path, answer.statusCode]).toEqual([method, path, 401]);
    }
  }
});

test("an artifact that another site's page uploads with the user's cookie is refused and not kept", async () => {
  const server = await TestServer.open();
  const { body, headers } = multipart([["artifact", await makeArtifact()]]);
  const cookie = `JWT=${server.userToken}`;
  const answer = await server.call(`${DEPLOYMENTS}/artifacts`, {
    method: "POST",
    body,
    headers: { ...headers, ...FOREIGN, cookie },
  });
  expect(answer.statusCode).toBe(401);
  expect(server.blobFiles()).toEqual([]);
});

test("the cookie lets a user read, and no answer lets another site's page read it", async () => {
  const server = await TestServer.open();
  for (const url of [`${DEPLOYMENTS}/artifacts`, "/api/openapi.json", "/health"]) {
    const answer = await server.call(url, { headers: { ...FOREIGN, cookie: `JWT=${server.userToken}` } });
    expect(answer.statusCode).toBe(200);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
  }
});

test("where nobody logs in, no operation of the management API takes requests of another site's page", async () => {
  const server = await TestServer.open({ insecureNoAuth: true });
  const operations = operationsOf((await server.call("/api/openapi.json")).json());
  for (const { method, path } of operations.filter(({ scheme }) => scheme === "userToken")) {
    const headers = { host: "127.0.0.1:8080", origin: "https://evil.example" };
    const answer = await server.call(path, { method, headers });
    expect([method, path, answer.statusCode]).toEqual([method, path, 403]);
  }
});

test("no operation of the test controls takes requests of another site's page", async () => {
  await using server = await startServer();
  const document = (await (await fetch(`${server.url}/api/openapi.json`)).json()) as Document;
  const operations = operationsOf(document).filter(({ path }) => path.startsWith("/api/test/"));
  expect(operations.length).toBeGreaterThan(10);
  for (const { method, path } of operations) {
    const body = method === "GET" || method === "DELETE" ? {} : { body: "{}" };
    const headers = { origin: "https://evil.example", "content-type": "application/json" };
    const answer = await fetch(server.url + path, { method, headers, ...body });
    expect([method, path, answer.status]).toEqual([method, path, 403]);
  }
});
