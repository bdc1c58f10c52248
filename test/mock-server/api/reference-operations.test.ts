import { describe, expect, test } from "vitest";
import { DEPLOYMENTS, PASSWORD, TestServer } from "./fixture.ts";

const SOFTWARE = "/api/management/v1alpha1/deployments/software";
const IDENTITIES = "/api/management/v2alpha1/inventory/identities/search";
const ME = "/api/management/v2/useradm/users/me";

describe("the limits of devices", () => {
  test("are told for each tier: the one limit counts devices of all tiers", async () => {
    const server = await TestServer.open();
    const devauth = "/api/management/v2/devauth/limits";
    const limits = async () => (await server.manage(`${devauth}/devices`)).json();
    expect(await limits()).toEqual({ standard: -1, micro: -1, system: -1 });
    await server.manage(`${devauth}/max_devices`, { method: "PUT", body: { limit: 7 } });
    expect(await limits()).toEqual({ standard: 7, micro: 7, system: 7 });
  });
});

describe("one's own password", () => {
  test("is changed by telling the old one, and by nothing else", async () => {
    const server = await TestServer.open();
    const change = (body: unknown) => server.manage(ME, { method: "PUT", body });
    expect((await change({ password: "another long password", current_password: "wrong" })).statusCode).toBe(422);
    expect((await change({ password: "another long password" })).statusCode).toBe(422);
    expect((await change({ email: "other@example.com" })).statusCode).toBe(400);
    expect((await change({ password: "another long password", current_password: PASSWORD })).statusCode).toBe(204);
    await server.domain.users.login("admin@example.com", "another long password");
  });
});

describe("software", () => {
  async function releases() {
    const server = await TestServer.open();
    for (const name of ["app-2", "app-1", "base-1"]) await server.uploaded({ name });
    const release = "/api/management/v2/deployments/deployments/releases";
    await server.manage(`${release}/app-1/tags`, { method: "PUT", body: ["demo", "app"] });
    await server.manage(`${release}/base-1/tags`, { method: "PUT", body: ["base"] });
    return server;
  }

  test.each([
    ["", ["app-1", "app-2", "base-1"]],
    ["?kind=release", ["app-1", "app-2", "base-1"]],
    // There are no manifests.
    ["?kind=manifest", []],
    ["?name=app-2&name=base-1", ["app-2", "base-1"]],
    ["?name_prefix=app", ["app-1", "app-2"]],
    ["?tag=DEMO&tag=base", ["app-1", "base-1"]],
    ["?update_type=single-file&name_prefix=base", ["base-1"]],
    ["?update_type=rootfs-image", []],
    ["?sort=name:desc&per_page=2", ["base-1", "app-2"]],
    ["?sort=tags:desc", ["base-1", "app-1", "app-2"]],
    ["?page=2&per_page=2", ["base-1"]],
  ])("are those of the releases that match: %s", async (query, names) => {
    const server = await releases();
    const answer = await server.manage(SOFTWARE + query);
    expect(answer.statusCode).toBe(200);
    const shown = answer.json<{ name: string; kind: string }[]>();
    expect(shown.map(({ name, kind }) => [name, kind])).toEqual(names.map((name) => [name, "release"]));
    if (query.includes("page")) {
      expect(answer.headers["x-total-count"]).toBe("3");
      expect(String(answer.headers.link)).toContain('rel="last"');
    }
  });

  test("has the fields that releases and manifests share", async () => {
    const server = await releases();
    const [first] = (await server.manage(`${SOFTWARE}?name=app-1`)).json();
    expect(first).toEqual({
      name: "app-1",
      kind: "release",
      modified: expect.stringMatching(/^\d{4}-.*Z$/),
      tags: ["app", "demo"],
      notes: "",
    });
    expect((await server.manage(`${SOFTWARE}/tags`)).json()).toEqual(["app", "base", "demo"]);
    expect((await server.manage(`${SOFTWARE}/tags?kind=manifest`)).json()).toEqual([]);
  });

  test.each(["?name=a&name_prefix=b", "?kind=other", "?sort=name", "?per_page=501", "?unknown=1"])(
    "is not found by %s",
    async (query) => {
      const server = await TestServer.open();
      expect((await server.manage(SOFTWARE + query)).statusCode).toBe(400);
    },
  );
});

describe("a search for identities", () => {
  async function fleet() {
    const server = await TestServer.open({ autoAccept: true });
    const devices = [];
    for (const mac of ["02:00:5e:00:53:01", "02:00:5e:00:53:02", "06:00:5e:00:53:03"]) {
      devices.push((await server.device(mac)).id);
    }
    const [first = "", second = "", third = ""] = devices;
    const tags = `/api/management/v1/inventory/devices/${third}/tags`;
    await server.manage(tags, {
      method: "PUT",
      body: [
        { name: "name", value: "02-gateway" },
        { name: "x", value: "02" },
      ],
    });
    return { server, first, second, third };
  }

  test("finds devices by the beginning of an identity, of their name or of their id", async () => {
    const { server, first, second, third } = await fleet();
    const found = async (body: unknown) => {
      const answer = await server.manage(IDENTITIES, { method: "POST", body });
      expect(answer.statusCode, answer.body).toBe(200);
      const ids = answer.json<{ id: string }[]>().map(({ id }) => id);
      expect(answer.headers["x-total-count"]).toBe(String(ids.length));
      return ids.sort();
    };
    const mac = { scope: "identity", name: "mac" };
    expect(await found({ value_prefix: "02:00" })).toEqual([first, second].sort());
    expect(await found({ value_prefix: "02" })).toEqual([first, second, third].sort());
    expect(await found({ value_prefix: "02", attribute: mac })).toEqual([first, second].sort());
    expect(await found({ value_prefix: "02-", attribute: { scope: "tags", name: "name" } })).toEqual([third]);
    // Any other tag is no identity.
    expect(await found({ value_prefix: "02", attribute: { scope: "tags", name: "x" } })).toEqual([third]);
    expect(await found({ value_prefix: third.slice(0, 20) })).toEqual([third]);
    expect(await found({ value_prefix: third, attribute: { scope: "identity", name: "id" } })).toEqual([third]);
    expect(await found({ value_prefix: "accepted" })).toEqual([]);
    expect(await found({ value_prefix: "acc", attribute: { scope: "identity", name: "status" } })).toEqual([]);
    // A prefix is text, not a pattern.
    expect(await found({ value_prefix: "0." })).toEqual([]);
  });

  test("shows the page and the attributes that were asked for", async () => {
    const { server } = await fleet();
    const attributes = [{ scope: "identity", attribute: "mac" }];
    const body = { value_prefix: "02:", attributes, page: 2, per_page: 1 };
    const answer = await server.manage(IDENTITIES, { method: "POST", body });
    expect(answer.headers["x-total-count"]).toBe("2");
    const [only, ...more] = answer.json<{ attributes: { name: string }[] }[]>();
    expect(more).toEqual([]);
    expect(only?.attributes.map(({ name }) => name).sort()).toEqual(["mac", "updated_ts"]);
  });

  test.each([
    {},
    { value_prefix: "a", attribute: { scope: "inventory", name: "x" } },
    { value_prefix: "a", per_page: 501 },
  ])("is not made of %j", async (body) => {
    const server = await TestServer.open();
    expect((await server.manage(IDENTITIES, { method: "POST", body })).statusCode).toBe(400);
  });
});

describe("the probes of the reference's services", () => {
  const SERVICES = ["deployments", "deviceconfig", "devauth", "inventory", "useradm"];

  test.each(SERVICES)("of %s are answered", async (service) => {
    const server = await TestServer.open();
    for (const probe of ["alive", "health"]) {
      const answer = await server.call(`/api/internal/v1/${service}/${probe}`);
      expect([answer.statusCode, answer.body]).toEqual([204, ""]);
    }
  });

  test("say that the records are gone", async () => {
    const server = await TestServer.open();
    await server.domain.close();
    const answers = await Promise.all(
      ["alive", "health"].map((probe) => server.call(`/api/internal/v1/deployments/${probe}`)),
    );
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([204, 503]);
    expect(answers[1]?.json().error).toContain("the records cannot be read");
  });
});

test("what is of a service that is not there is unknown, and the rest of the API as it was", async () => {
  const server = await TestServer.open();
  for (const path of ["v1/deviceconnect/devices/x", "v1/iot-manager/integrations", "v1/tenantadm/user/tenant"]) {
    expect((await server.manage(`/api/management/${path}`)).statusCode).toBe(404);
  }
  expect((await server.manage(`${DEPLOYMENTS}/deployments`)).statusCode).toBe(200);
});
