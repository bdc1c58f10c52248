import { createHash } from "node:crypto";
import { given } from "@upkeep/shared/given";
import type { LightMyRequestResponse } from "fastify";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { ANSWER_HEADERS } from "../../../../mock-server/api/headers.ts";
import type { OpenApiDocument, Operation } from "../../../../mock-server/api/openapi/document.ts";
import { jsonBody, type Route } from "../../../../mock-server/api/route.ts";
import { fc } from "../../../support/fast-check.ts";
import { WAIT_MS } from "../../../support/patience.ts";
import { TestServer } from "../fixture.ts";
import { type Request, requests } from "./arbitraries.ts";
import { routesOf } from "./routes.ts";

/** Everything that may be asked without a token. */
const OPEN = [
  "POST /api/devices/v1/authentication/auth_requests",
  "GET /api/devices/v1/deployments/download/artifact/{id}",
  "GET /api/devices/v1/deployments/download/artifact/{id}/{part}",
  "PUT /api/management/v1/deployments/artifacts/directupload/{id}",
  "GET /api/devices/v1/deployments/download/configuration/{deployment}/{type}/{device}",
  "POST /api/management/v1/useradm/auth/login",
  "POST /api/management/v1/useradm/auth/session",
  "GET /api/openapi.json",
  "GET /api/docs",
  "GET /health",
  "GET /ready",
  ...["deployments", "deviceconfig", "devauth", "inventory", "useradm"].flatMap((service) => [
    `GET /api/internal/v1/${service}/alive`,
    `GET /api/internal/v1/${service}/health`,
  ]),
];

/** Retry-After is told of with all errors. */
const TOLD_HEADERS = objectKeys(ANSWER_HEADERS).filter((name) => name !== "Retry-After");

function objectKeys<K extends string>(object: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(object) as K[];
}

const RUNS = 20;
/** Longer than any answer may take; a request that has none by then hangs. */

interface Entry {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

async function documentOf(server: TestServer): Promise<OpenApiDocument> {
  return (await server.call("/api/openapi.json")).json();
}

function entries({ paths }: OpenApiDocument): Entry[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
}

function nameOf({ method, path }: Entry): string {
  return `${method.toUpperCase()} ${path}`;
}

describe("the OpenAPI document", () => {
  test("says what it said when this list was written; after a wanted change `vitest -u` writes it anew", async () => {
    const server = await TestServer.open();
    const lines = entries(await documentOf(server)).map((entry) => {
      const digest = createHash("sha256").update(JSON.stringify(entry.operation)).digest("hex");
      return `${digest.slice(0, 12)} ${nameOf(entry)}\n`;
    });
    await expect(lines.sort((a, b) => (a.slice(12) < b.slice(12) ? -1 : 1)).join("")).toMatchFileSnapshot(
      "operations.txt",
    );
  });

  test("names each operation once", async () => {
    const server = await TestServer.open();
    const ids = entries(await documentOf(server)).map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("has each parameter of each path, and nothing that refers to nowhere", async () => {
    const server = await TestServer.open();
    const document = await documentOf(server);
    for (const { path, operation } of entries(document)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const described = (operation.parameters ?? []).filter((one) => one.in === "path").map(({ name }) => name);
      expect(described, path).toEqual(named);
    }
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target);
    expect(new Set(references)).toEqual(new Set(["#/components/schemas/Error"]));
  });

  test("has examples of everything that is sent and answered, which fit the schemas", async () => {
    const server = await TestServer.open();
    const routes = routesByName(server);
    const faults: unknown[] = [];
    const check = (where: string, schema: z.core.$ZodType, example: unknown): void => {
      const { error } = z.core.safeParse(schema, example);
      if (error !== undefined) faults.push([where, example, error.issues]);
    };
    for (const entry of entries(await documentOf(server))) {
      const name = nameOf(entry);
      const route = routes.get(name);
      const { requestBody, responses, parameters = [] } = entry.operation;
      for (const one of parameters.filter(({ required }) => required)) {
        expect(one.example, `${name}: ${one.name}`).toBeDefined();
      }
      const body = route === undefined ? undefined : jsonBody(route);
      if (body !== undefined) check(name, body.schema, requestBody?.content["application/json"]?.example);
      for (const [status, { schema }] of Object.entries(route?.answers ?? {})) {
        const example = responses[status]?.content?.["application/json"]?.example;
        if (schema !== undefined) check(`${name} ${status}`, schema, example);
      }
    }
    expect(faults).toEqual([]);
  });

  test("has examples of requests that the server understands", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const { token } = await server.device("02:00:00:00:00:01");
    const misunderstood: unknown[] = [];
    for (const entry of entries(await documentOf(server))) {
      const { requestBody, parameters = [], security } = entry.operation;
      const body = requestBody?.content["application/json"]?.example;
      const url = entry.path.replace(/\{(\w+)\}/g, (_, wanted) =>
        encodeURIComponent(String(parameters.find(({ name }) => name === wanted)?.example)),
      );
      if (body === undefined || entry.path.endsWith("/useradm/users/me")) continue;
      const method = entry.method.toUpperCase() as "POST";
      const headers = Object.fromEntries(
        parameters
          .filter((one) => one.in === "header" && one.required)
          .map(({ name, example }) => [name, String(example)]),
      );
      const call = { method, body, headers, token: "deviceToken" in (security[0] ?? {}) ? token : server.userToken };
      const { statusCode, body: said } = await server.call(url, call);
      // The group of the example is empty here.
      if (said.includes("No devices for the deployment")) continue;
      if (statusCode === 400 || statusCode >= 500) misunderstood.push([nameOf(entry), body, said]);
    }
    expect(misunderstood).toEqual([]);
  });

  test("tells where the server is, and counters by their names", async () => {
    const server = await TestServer.open();
    const document = await documentOf(server);
    expect(document.servers).toEqual([{ url: "http://localhost:80" }]);
    const statistics = document.paths["/api/management/v1/deployments/deployments/{id}/statistics"]?.get;
    const schema = statistics?.responses[200]?.content?.["application/json"]?.schema;
    expect(schema).toMatchObject({ properties: { success: { type: "integer" }, pending: { type: "integer" } } });
    const list = document.paths["/api/management/v1/deployments/deployments"]?.get?.responses[200];
    expect(Object.keys(list?.headers ?? {})).toEqual(["Link", "X-Total-Count"]);
  });

  test("comes with a page that loads nothing from elsewhere", async () => {
    const server = await TestServer.open();
    const page = await server.call("/api/docs");
    expect(page.statusCode).toBe(200);
    expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
    expect(page.body).not.toMatch(/(?:src|href)=["']?(?:https?:)?\/\//);
    const [, script] = /<script>(.*)<\/script>/s.exec(page.body) ?? [];
    expect(() => new Function(String(script))).not.toThrow();
  });
});

describe("without a token", () => {
  test("nothing is answered but what is declared open", async () => {
    const server = await TestServer.open();
    const open: string[] = [];
    for (const entry of entries(await documentOf(server))) {
      const url = entry.path.replace(/\{\w+\}/g, "00000000-0000-4000-8000-000000000000");
      const method = entry.method.toUpperCase() as "GET";
      const answer = await server.call(url, {
        method,
        body: entry.operation.requestBody === undefined ? undefined : {},
      });
      if (entry.operation.security.length === 0) open.push(nameOf(entry));
      else expect(answer.statusCode, nameOf(entry)).toBe(401);
    }
    expect(open.sort()).toEqual([...OPEN].sort());
  });
});

/** The routes by their name in the document. */
function routesByName(server: TestServer): Map<string, Route> {
  return new Map(routesOf(server).map((one) => [`${one.method} ${one.path.replaceAll(/:(\w+)/g, "{$1}")}`, one]));
}

/** The application with something of everything in it. */
class Fleet {
  readonly server: TestServer;
  readonly known: readonly string[];
  readonly deviceToken: string;
  readonly #routes: ReadonlyMap<string, Route>;
  #userToken: string;

  private constructor(server: TestServer, known: readonly string[], deviceToken: string) {
    this.server = server;
    this.known = known;
    this.deviceToken = deviceToken;
    this.#userToken = server.userToken;
    this.#routes = routesByName(server);
  }

  static async open(): Promise<Fleet> {
    const server = await TestServer.open({ autoAccept: true });
    const { id, token } = await server.device("02:00:00:00:00:01");
    const other = await server.device("02:00:00:00:00:02");
    const artifact = await server.uploaded({ name: "release-1" });
    const deployment = await server.deployed("release-1", [id, other.id]);
    const { authSets } = await server.domain.devices.get(other.id);
    const words = ["release-1", "board", "pending", "accepted", "finished", "mac", "inventory", "1", "20", "asc"];
    return new Fleet(server, [id, other.id, artifact, deployment, ...authSets.map((set) => set.id), ...words], token);
  }

  /** @returns The status; fails if the server did, said nothing, or said what the document does not. */
  async send(request: Request, { operation, ...entry }: Entry): Promise<number> {
    const [scheme = {}] = operation.security;
    const token = "deviceToken" in scheme ? this.deviceToken : "userToken" in scheme ? this.#userToken : undefined;
    const streamed = operation.responses[200]?.content?.["text/event-stream"] !== undefined;
    const answer = await this.#inject(request, token, streamed);
    expect(answer.statusCode, `${JSON.stringify(request)} → ${streamed ? "" : answer.body}`).toBeLessThan(500);
    expect(answer.headers["x-men-requestid"]).toBeTypeOf("string");
    if (streamed) {
      // It has no end of its own.
      answer.stream().destroy();
      return answer.statusCode;
    }
    if (answer.statusCode >= 400 && answer.body !== "" && request.method !== "HEAD") {
      expect(answer.json()).toMatchObject({ error: expect.any(String) });
    }
    if (answer.statusCode < 300) this.#checkAnswer(nameOf({ operation, ...entry }), answer);
    return answer.statusCode;
  }

  #checkAnswer(name: string, answer: LightMyRequestResponse): void {
    const described = this.#routes.get(name)?.answers[answer.statusCode];
    expect(described, `${name} does not tell of ${answer.statusCode}`).toBeDefined();
    const sent = TOLD_HEADERS.filter((header) => answer.headers[header.toLowerCase()] !== undefined);
    expect(described?.headers ?? [], `${name} tells of its headers`).toEqual(expect.arrayContaining(sent));
    if (described?.schema === undefined) return;
    // The request chose the other media type.
    const sentAs = String(answer.headers["content-type"]);
    if (described.mediaType !== undefined && sentAs.startsWith(described.mediaType)) return;
    const fit = z.core.safeParse(described.schema, answer.json());
    expect(fit.error?.issues ?? [], `${name}: ${answer.body}`).toEqual([]);
  }

  async #inject(request: Request, token: string | undefined, payloadAsStream: boolean) {
    const { url, headers, body } = request;
    const method = request.method as "GET";
    let timer: NodeJS.Timeout | undefined;
    const hang = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer to ${JSON.stringify(request)}`)), WAIT_MS);
    });
    try {
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const asked = this.server.app.inject({
        method,
        url,
        payloadAsStream,
        headers: { ...headers, ...authorization },
        ...given({ payload: body }),
      });
      return await Promise.race([asked, hang]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** After what ended the administrator's session. */
  async loggedIn(): Promise<void> {
    const alive = await this.server.call("/metrics", { token: this.#userToken });
    if (alive.statusCode !== 401) return;
    this.#userToken = await this.server.domain.users.login("admin@example.com", "a long password");
  }
}

test("no request to any route brings the server down, whatever it says", async () => {
  const fleet = await Fleet.open();
  const all = entries(await documentOf(fleet.server));
  const statuses = new Map<number, number>();
  for (const entry of all) {
    const { path, method, operation } = entry;
    await fc.assert(
      fc.asyncProperty(requests(path, method, operation, fleet.known), async (request) => {
        const status = await fleet.send(request, entry);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }),
      { numRuns: RUNS },
    );
    await fleet.loggedIn();
  }
  const total = [...statuses.values()].reduce((sum, count) => sum + count, 0);
  const byStatus = [...statuses].sort().map(([status, count]) => `${status}: ${count}`);
  console.log(`${all.length} routes, ${total} requests, no 500 (${byStatus.join(", ")})`);
  expect(total).toBeGreaterThanOrEqual(all.length * RUNS);
  // The test reaches what stands behind the checks.
  expect(statuses.get(200)).toBeGreaterThan(0);
  expect(statuses.get(204)).toBeGreaterThan(0);
});
