import { describe, expect, test } from "vitest";
import * as z from "zod";
import { jsonSchema } from "../../../mock-server/api/openapi/schemas.ts";
import { jsonBody, type Route } from "../../../mock-server/api/route.ts";
import { fc } from "../../support/fast-check.ts";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";
import { valid } from "./openapi/arbitraries.ts";
import { routesOf } from "./openapi/routes.ts";

const UNKNOWN = "batch_size_devices";
/** Objects whose names are those of the user: any JSON is a setting, any name a configuration's key. */
const OPEN_BODIES = [
  "POST /api/management/v1/useradm/settings",
  "POST /api/management/v1/useradm/settings/me",
  "PUT /api/management/v1/deviceconfig/configurations/device/:id",
];

function managementRoutes(server: TestServer): Route[] {
  return routesOf(server).filter(({ path }) => path.startsWith("/api/management/"));
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Objects anywhere in a JSON schema that take names which they do not list. */
function looseIn(schema: unknown, path: string): string[] {
  if (Array.isArray(schema)) return schema.flatMap((item, index) => looseIn(item, `${path}.${index}`));
  if (!isObject(schema)) return [];
  const loose = schema.type === "object" && schema.properties !== undefined && schema.additionalProperties !== false;
  return [
    ...(loose ? [path] : []),
    ...Object.entries(schema).flatMap(([key, item]) => looseIn(item, `${path}.${key}`)),
  ];
}

describe("a field that is not known", () => {
  test("is refused by its name in every body of the management API, at every depth", async () => {
    const server = await TestServer.open();
    const routes = managementRoutes(server).flatMap((route) => {
      const body = jsonBody(route);
      return body === undefined ? [] : [{ name: `${route.method} ${route.path}`, schema: body.schema }];
    });
    expect(routes.length).toBeGreaterThan(25);
    expect(routes.flatMap(({ name, schema }) => looseIn(jsonSchema(schema, "input"), name))).toEqual([]);
    for (const { name, schema } of routes.filter((route) => !OPEN_BODIES.includes(route.name))) {
      const bodies = valid(jsonSchema(schema, "input"), ["1"]).filter(isObject);
      if (jsonSchema(schema, "input").type !== "object") continue;
      fc.assert(
        fc.property(bodies, (body) => {
          const fit = z.core.safeParse(schema, { ...body, [UNKNOWN]: 1 });
          expect(
            fit.error?.issues.flatMap((issue) => ("keys" in issue ? issue.keys : [])),
            name,
          ).toContain(UNKNOWN);
        }),
        { numRuns: 5 },
      );
    }
  });

  test.each([
    [
      { phases: [{ batch_size_devices: 1 }] },
      "phases.0.batch_size_devices: there is no such field; there are batch_size",
    ],
    [{ all_device: true }, "all_device: there is no such field; there are name, artifact_name"],
    [{ update_control_map: { states: { ArtifactInstall_Enter: { on_map_expires: "fail" } } } }, "on_map_expires"],
    [{ autogenerate_delta: true }, "autogenerate_delta"],
    [{ group: "another" }, "group"],
  ])("%j makes no deployment", async (more, message) => {
    const server = await TestServer.open({ autoAccept: true });
    await server.device("1");
    await server.uploaded();
    const body = { name: "n", artifact_name: "release-1", all_devices: true, ...more };
    const answer = await server.manage(`${DEPLOYMENTS}/deployments`, { method: "POST", body });
    expect([answer.statusCode, answer.json().error]).toEqual([400, expect.stringContaining(message)]);
    expect((await server.manage(`${DEPLOYMENTS}/deployments`)).json()).toEqual([]);
  });

  test("that the reference's web interface sends along, and that changes nothing, is no obstacle", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const device = await server.device("1");
    await server.uploaded();
    await server.manage(`/api/management/v1/inventory/devices/${device.id}/group`, {
      method: "PUT",
      body: { group: "west" },
    });
    const phases = [{ batch_size: 100, delay: 0, delayUnit: "hours" }];
    const common = { artifact_name: "release-1", force_installation: false, phases, autogenerate_delta: false };
    const toGroup = await server.manage(`${DEPLOYMENTS}/deployments/group/west`, {
      method: "POST",
      body: { ...common, name: "west", all_devices: false, group: "west" },
    });
    expect([toGroup.statusCode, toGroup.body]).toEqual([201, ""]);
    const id = String(toGroup.headers.location).split("/").at(-1);
    const devices = `${DEPLOYMENTS}/deployments/${id}/devices/list?deployment_id=${id}&page=1&per_page=10`;
    expect((await server.manage(devices)).statusCode).toBe(200);
    const elsewhere = await server.manage(`${DEPLOYMENTS}/deployments/group/west`, {
      method: "POST",
      body: { ...common, name: "x", group: "east" },
    });
    expect([elsewhere.statusCode, elsewhere.json().error]).toEqual([
      400,
      'group: must be "west", as in the path, not "east"',
    ]);
    const filter = await server.manage("/api/management/v2/inventory/filters", {
      method: "POST",
      body: { name: "all", terms: [{ scope: "identity", attribute: "mac", type: "$exists", value: true }] },
    });
    const filter_id = String(filter.headers.location).split("/").at(-1);
    const toFilter = await server.manage("/api/management/v2/deployments/deployments", {
      method: "POST",
      body: { ...common, name: "all", filter_id, all_devices: false, group: "all" },
    });
    expect([toFilter.statusCode, toFilter.body]).toEqual([201, ""]);
  });
});

describe("a query parameter that is not known", () => {
  test("is refused by its name, on every route of the management API but the inventory's list of devices", async () => {
    const server = await TestServer.open();
    const free: string[] = [];
    for (const { method, path } of managementRoutes(server)) {
      const url = path.replace(/:\w+/g, "00000000-0000-4000-8000-000000000000");
      const answer = await server.manage(`${url}?${UNKNOWN}=1`, { method, body: {} });
      const told = answer.statusCode === 400 && String(answer.json().error).startsWith(`${UNKNOWN}: there is no such`);
      if (!told) free.push(`${method} ${path}`);
    }
    expect(free).toEqual([
      "GET /api/management/v1/inventory/devices",
      "PUT /api/management/v1/deployments/artifacts/directupload/:id",
    ]);
  });

  test("is told with those that there are", async () => {
    const server = await TestServer.open();
    const answer = await server.manage(`${DEPLOYMENTS}/deployments?state=finished`);
    expect([answer.statusCode, answer.json().error]).toEqual([
      400,
      "state: there is no such query parameter; there are page, per_page, search, status, type, created_after, " +
        "created_before, sort",
    ]);
    const none = await server.manage("/api/management/v1/deployments/limits/storage?unit=kB");
    expect(none.json().error).toBe("unit: there is no such query parameter; there are none");
  });
});
