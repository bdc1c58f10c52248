import { describe, expect, test } from "vitest";
import { TestDevice } from "../domain-fixture.ts";
import { DEPLOYMENTS, DEVICE_API, TestServer } from "./fixture.ts";

const DEVAUTH = "/api/management/v2/devauth";
const UNKNOWN = "5cb9c1d4-6f2e-4f3c-9b0d-000000000000";

describe("artifacts", () => {
  test("are listed whole, by the page, and by the beginning of a name", async () => {
    const server = await TestServer.open();
    for (const name of ["app-1", "app-2", "os-1"]) await server.uploaded({ name });
    const names = async (path: string) => {
      const answer = await server.manage(path);
      expect(answer.statusCode).toBe(200);
      return answer.json().map(({ name }: { name: string }) => name);
    };
    expect(await names(`${DEPLOYMENTS}/artifacts`)).toEqual(["app-1", "app-2", "os-1"]);
    expect(await names(`${DEPLOYMENTS}/artifacts?name=PP-`)).toEqual(["app-1", "app-2"]);
    expect(await names(`${DEPLOYMENTS}/artifacts/list?per_page=2&sort=name:desc`)).toEqual(["os-1", "app-2"]);
    expect(await names(`${DEPLOYMENTS}/artifacts/list?page=x&per_page=-4`)).toHaveLength(3);
    const v2 = "/api/management/v2/deployments/artifacts";
    expect(await names(`${v2}?name=app*`)).toEqual(["app-1", "app-2"]);
    expect(await names(`${v2}?name=app-1&name=os-1`)).toEqual(["app-1", "os-1"]);
    expect(await names(`${v2}?name=app`)).toEqual([]);
    expect((await server.manage(`${v2}?name=app*&name=os-1`)).json().error).toMatch(/^invalid filter: /);
    const listed = await server.manage(`${DEPLOYMENTS}/artifacts/list?per_page=2`);
    expect(listed.headers["x-total-count"]).toBe("3");
    expect(listed.headers.link).toEqual([
      `<${DEPLOYMENTS}/artifacts/list?page=1&per_page=2>; rel="first"`,
      `<${DEPLOYMENTS}/artifacts/list?page=2&per_page=2>; rel="next"`,
      `<${DEPLOYMENTS}/artifacts/list?page=2&per_page=2>; rel="last"`,
    ]);
  });

  test("are shown, described and deleted by their id", async () => {
    const server = await TestServer.open();
    const id = await server.uploaded();
    const path = `${DEPLOYMENTS}/artifacts/${id}`;
    expect((await server.manage(path, { method: "PUT", body: { description: "new" } })).statusCode).toBe(204);
    expect(
      (await server.manage(path.toUpperCase().replace(/^.*\//, `${DEPLOYMENTS}/artifacts/`))).json(),
    ).toMatchObject({ id, description: "new" });
    expect((await server.manage(path, { method: "DELETE" })).statusCode).toBe(204);
    for (const call of [{}, { method: "DELETE" }, { method: "PUT", body: { description: "" } }] as const) {
      const answer = await server.manage(path, call);
      expect([answer.statusCode, answer.json().error]).toEqual([404, "Resource not found"]);
    }
    expect((await server.manage(`${path}/download`)).statusCode).toBe(404);
    const odd = await server.manage(`${DEPLOYMENTS}/artifacts/not-a-uuid`);
    expect([odd.statusCode, odd.json().error]).toEqual([400, 'id: ID is not a valid UUID (got "not-a-uuid")']);
  });

  test("of an unfinished deployment are not deleted, and their bytes stay", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const id = await server.uploaded();
    const device = await server.device("1");
    const deployment = await server.deployed("release-1", [device.id]);
    const answer = await server.manage(`${DEPLOYMENTS}/artifacts/${id}`, { method: "DELETE" });
    expect([answer.statusCode, answer.json().error]).toEqual([409, "Artifact is used in active deployment"]);
    expect(server.blobFiles()).toEqual([id]);
    const abort = { method: "PUT", body: { status: "aborted" } } as const;
    await server.manage(`${DEPLOYMENTS}/deployments/${deployment}/status`, abort);
    const described = await server.manage(`${DEPLOYMENTS}/artifacts/${id}`, {
      method: "PUT",
      body: { description: "late" },
    });
    expect(described.statusCode).toBe(422);
    expect((await server.manage(`${DEPLOYMENTS}/artifacts/${id}`, { method: "DELETE" })).statusCode).toBe(204);
    expect(server.blobFiles()).toEqual([]);
  });
});

describe("releases", () => {
  test("are all artifacts of a name, in both versions' shapes", async () => {
    const server = await TestServer.open();
    const first = await server.uploaded({ name: "a b/c" });
    const second = await server.uploaded({ name: "a b/c", deviceType: "other" });
    await server.uploaded({ name: "z" });
    const v1 = (await server.manage(`${DEPLOYMENTS}/deployments/releases?name=A%20b`)).json();
    expect(v1).toEqual([
      {
        Name: "a b/c",
        Modified: new Date(server.system.nowMs).toISOString(),
        Artifacts: expect.arrayContaining([
          expect.objectContaining({ id: first }),
          expect.objectContaining({ id: second }),
        ]),
        ArtifactsCount: 2,
        tags: [],
        notes: "",
      },
    ]);
    const page = await server.manage(`${DEPLOYMENTS}/deployments/releases/list?sort=artifacts_count:desc&per_page=1`);
    expect(page.json()[0].Name).toBe("a b/c");
    expect(page.headers["x-total-count"]).toBe("2");
    const base = "/api/management/v2/deployments/deployments/releases";
    const v2 = await server.manage(`${base}/${encodeURIComponent("a b/c")}`);
    expect(v2.json()).toMatchObject({ name: "a b/c", artifacts_count: 2 });
    expect((await server.manage(`${base}?device_type=other`)).json()).toHaveLength(1);
    const none = await server.manage(`${base}/none`);
    expect([none.statusCode, none.json().error]).toEqual([404, "release not found"]);
    expect((await server.manage(`${base}?sort=colour`)).json().error).toBe(
      'sort: must be one of name, modified, artifacts_count, with :asc or :desc behind it (got "colour")',
    );
  });
});

describe("devices", () => {
  test("are listed by status and id, counted and shown", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const ids = [(await server.device("1")).id, (await server.device("2")).id].sort();
    const list = await server.manage(`${DEVAUTH}/devices?status=accepted&status=pending&per_page=1`);
    expect(list.json().map(({ id }: { id: string }) => id)).toEqual([ids[0]]);
    expect(list.headers.link).toEqual([
      `<${DEVAUTH}/devices?page=1&per_page=1&status=accepted&status=pending>; rel="first"`,
      `<${DEVAUTH}/devices?page=2&per_page=1&status=accepted&status=pending>; rel="next"`,
    ]);
    expect(list.headers["x-total-count"]).toBeUndefined();
    expect((await server.manage(`${DEVAUTH}/devices?id=${ids[1]}`)).json()).toHaveLength(1);
    expect((await server.manage(`${DEVAUTH}/devices?status=odd`)).statusCode).toBe(400);
    expect((await server.manage(`${DEVAUTH}/devices/count?status=accepted`)).json()).toEqual({ count: 2 });
    expect((await server.manage(`${DEVAUTH}/devices/count?status=rejected`)).json()).toEqual({ count: 0 });
    expect((await server.manage(`${DEVAUTH}/devices/${UNKNOWN}`)).statusCode).toBe(404);
    expect((await server.manage(`${DEVAUTH}/limits/max_devices`)).json()).toEqual({ limit: -1 });
  });

  test("have keys that are accepted, rejected, dismissed and forgotten", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const { id } = await server.device("1");
    const shown = (await server.manage(`${DEVAUTH}/devices/${id}`)).json();
    const key = `${DEVAUTH}/devices/${id}/auth/${shown.auth_sets[0].id}`;
    const put = async (status: string) =>
      (await server.manage(`${key}/status`, { method: "PUT", body: { status } })).statusCode;
    expect(await put("rejected")).toBe(204);
    expect(await put("rejected")).toBe(204);
    expect((await server.manage(`${key}/status`)).json()).toEqual({ status: "rejected" });
    expect(await put("accepted")).toBe(204);
    expect(await put("preauthorized")).toBe(400);
    const other = `${DEVAUTH}/devices/${id}/auth/${UNKNOWN}/status`;
    expect((await server.manage(other, { method: "PUT", body: { status: "accepted" } })).statusCode).toBe(404);
    expect((await server.manage(`${DEVAUTH}/tokens/${shown.auth_sets[0].id}`, { method: "DELETE" })).statusCode).toBe(
      204,
    );
    expect((await server.manage(`${DEVAUTH}/tokens/${UNKNOWN}`, { method: "DELETE" })).statusCode).toBe(404);
    expect((await server.manage(key, { method: "DELETE" })).statusCode).toBe(204);
    expect((await server.manage(`${DEVAUTH}/devices/${id}`)).json()).toMatchObject({ status: "noauth", auth_sets: [] });
    expect((await server.manage(`${DEVAUTH}/devices/${id}`, { method: "DELETE" })).statusCode).toBe(204);
    expect((await server.manage(`${DEVAUTH}/devices/${id}`, { method: "DELETE" })).statusCode).toBe(404);
  });

  test("are announced before they first ask; one that is known is shown", async () => {
    const server = await TestServer.open();
    const device = new TestDevice('{"mac":"9"}');
    const body = { identity_data: { mac: "9" }, pubkey: device.publicKey };
    const answer = await server.manage(`${DEVAUTH}/devices`, { method: "POST", body });
    expect(answer.statusCode).toBe(201);
    const id = String(answer.headers.location).replace("devices/", "");
    const again = await server.manage(`${DEVAUTH}/devices`, { method: "POST", body });
    expect([again.statusCode, again.json().id, again.json().status]).toEqual([409, id, "preauthorized"]);
    const bad = await server.manage(`${DEVAUTH}/devices`, { method: "POST", body: { ...body, pubkey: "x" } });
    expect(bad.statusCode).toBe(400);
  });
});

describe("inventory", () => {
  test("is listed by the page, and filtered by attributes of any scope", async () => {
    const server = await TestServer.open({ autoAccept: true });
    await server.device("1");
    const base = "/api/management/v1/inventory/devices";
    const list = await server.manage(base);
    expect(list.headers["x-total-count"]).toBe("1");
    expect(list.json()[0].attributes).toContainEqual(
      expect.objectContaining({ scope: "identity", name: "status", value: "accepted" }),
    );
    const found = async (query: string) => (await server.manage(`${base}?${query}`)).headers["x-total-count"];
    expect(await found("identity/mac=1")).toBe("1");
    expect(await found("identity/mac=eq:1")).toBe("1");
    expect(await found("identity/mac=2")).toBe("0");
    expect(await found("mac=1")).toBe("0");
    expect(await found("has_group=true")).toBe("0");
    expect(await found("has_group=false&sort=identity/mac:asc")).toBe("1");
    const answer = await server.manage(`${base}?has_group=perhaps`);
    expect([answer.statusCode, answer.json().error]).toEqual([400, 'has_group: must be true or false, not "perhaps"']);
    expect((await server.manage(`${base}/${UNKNOWN}`)).statusCode).toBe(404);
  });
});

describe("deployments", () => {
  async function finishedAndPending() {
    const server = await TestServer.open({ autoAccept: true });
    const device = await server.device("1");
    const other = await server.device("2");
    await server.uploaded();
    await server.uploaded({ name: "release-2" });
    const first = await server.deployed("release-1", [device.id, other.id].sort());
    await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
    const report = { method: "PUT", body: { status: "success" }, ...device } as const;
    await server.call(`${DEVICE_API}/${first}/status`, report);
    server.system.nowMs += 60_000;
    const second = await server.deployed("release-2", [device.id]);
    return { server, device, other, first, second };
  }

  test("are shown with their statistics, whose sum is what they target", async () => {
    const { server, device, other, first, second } = await finishedAndPending();
    const shown = (await server.manage(`${DEPLOYMENTS}/deployments/${first}`)).json();
    const none = {
      ...{ failure: 0, pause_before_installing: 0, pause_before_committing: 0, pause_before_rebooting: 0 },
      ...{ downloading: 0, installing: 0, rebooting: 0, pending: 0, success: 0, aborted: 0, noartifact: 0 },
      ...{ "already-installed": 0, decommissioned: 0 },
    };
    expect(shown).toEqual({
      id: first,
      name: "to release-1",
      artifact_name: "release-1",
      artifacts: [expect.any(String)],
      type: "software",
      created: new Date(server.system.nowMs - 60_000).toISOString(),
      status: "inprogress",
      device_count: 1,
      max_devices: 2,
      statistics: { status: { ...none, pending: 1, success: 1 }, total_size: expect.any(Number) },
    });
    const statistics = await server.manage(`${DEPLOYMENTS}/deployments/${first}/statistics`);
    expect(statistics.json()).toEqual({ ...none, pending: 1, success: 1 });
    const several = await server.manage(`${DEPLOYMENTS}/deployments/statistics/list`, {
      method: "POST",
      body: { deployment_ids: [second, UNKNOWN, first] },
    });
    expect(several.json()).toHaveLength(2);
    expect(several.json()).toContainEqual({ id: second, stats: { ...none, pending: 1 } });
    const targets = await server.manage(`${DEPLOYMENTS}/deployments/${first}/device_list`);
    expect(targets.json()).toEqual([device.id, other.id].sort());
  });

  test("are listed newest first, by the page, by status, name and time", async () => {
    const { server, first, second } = await finishedAndPending();
    const ids = async (query: string, base = `${DEPLOYMENTS}/deployments`) => {
      const answer = await server.manage(`${base}?${query}`);
      expect([answer.statusCode, answer.body]).toEqual([200, expect.any(String)]);
      return answer.json().map(({ id }: { id: string }) => id);
    };
    const created = Math.floor(server.system.nowMs / 1000);
    expect(await ids("")).toEqual([second, first]);
    expect(await ids("sort=asc&per_page=1&page=2")).toEqual([second]);
    expect(await ids("page=9")).toEqual([]);
    expect(await ids("status=pending")).toEqual([second]);
    expect(await ids("status=aborted")).toEqual([]);
    expect(await ids("search=RELEASE-1")).toEqual([first]);
    expect(await ids("type=configuration")).toEqual([]);
    expect(await ids(`created_after=${created}`)).toEqual([second]);
    expect(await ids(`created_before=${created - 1}`)).toEqual([first]);
    const v2 = "/api/management/v2/deployments/deployments";
    expect(await ids(`id=${first}&id=${UNKNOWN}`, v2)).toEqual([first]);
    expect(await ids("name=to%20release-2", v2)).toEqual([second]);
    for (const query of ["status=odd", "sort=up", "created_after=yesterday", "per_page=0"]) {
      expect((await server.manage(`${DEPLOYMENTS}/deployments?${query}`)).statusCode).toBe(400);
    }
  });

  test("tell what each device made of them, and devices what they made of each", async () => {
    const { server, device, first, second } = await finishedAndPending();
    const list = await server.manage(`${DEPLOYMENTS}/deployments/${first}/devices/list?status=finished`);
    expect(list.headers["x-total-count"]).toBe("1");
    expect(list.json()).toEqual([
      expect.objectContaining({
        id: device.id,
        status: "success",
        finished: expect.any(String),
        image: expect.objectContaining({ name: "release-1" }),
      }),
    ]);
    expect((await server.manage(`${DEPLOYMENTS}/deployments/${first}/devices?status=active`)).json()).toEqual([]);
    expect((await server.manage(`${DEPLOYMENTS}/deployments/${first}/devices?status=odd`)).statusCode).toBe(400);
    const history = `${DEPLOYMENTS}/deployments/devices/${device.id}`;
    const entries = (await server.manage(history)).json();
    expect(entries.map((entry: { deployment: { id: string } }) => entry.deployment.id)).toContain(first);
    expect((await server.manage(`${history}?per_page=21`)).statusCode).toBe(400);
    expect((await server.manage(history, { method: "DELETE" })).statusCode).toBe(204);
    expect((await server.manage(`${DEPLOYMENTS}/deployments/${second}`)).json().status).toBe("finished");
    expect((await server.manage(`${history}/history`, { method: "DELETE" })).statusCode).toBe(204);
    const hidden = (await server.manage(history)).json();
    expect(hidden.every((entry: { device: { deleted?: string } }) => entry.device.deleted !== undefined)).toBe(true);
  });

  test("are aborted once", async () => {
    const { server, second } = await finishedAndPending();
    const path = `${DEPLOYMENTS}/deployments/${second}/status`;
    const put = (status: string, target = path) => server.manage(target, { method: "PUT", body: { status } });
    const wrong = await put("finished!");
    expect([wrong.statusCode, wrong.json().error]).toEqual([
      400,
      expect.stringContaining("Unexpected deployment status"),
    ]);
    expect((await server.manage(`${DEPLOYMENTS}/deployments/${second}`)).json().status).toBe("pending");
    expect((await put("aborted")).statusCode).toBe(204);
    const again = await put("aborted");
    expect([again.statusCode, again.json().error]).toEqual([422, "Deployment already finished"]);
    expect((await put("aborted", path.replace(second, UNKNOWN))).statusCode).toBe(422);
    expect((await put("aborted", path.replace(second, "x"))).statusCode).toBe(400);
  });

  test("are created only if they can be carried out", async () => {
    const { server, device, other } = await finishedAndPending();
    const create = async (body: unknown) => {
      const answer = await server.manage(`${DEPLOYMENTS}/deployments`, { method: "POST", body });
      return [answer.statusCode, answer.body === "" ? "" : answer.json().error];
    };
    const good = { name: "n", artifact_name: "release-1", devices: [other.id] };
    expect(await create({ ...good, name: "" })).toEqual([400, expect.stringContaining("name: cannot be blank")]);
    expect(await create({ ...good, devices: undefined })).toEqual([
      400,
      expect.stringContaining("provide list of devices or set all_devices flag"),
    ]);
    expect(await create({ ...good, devices: [] })).toEqual([400, "No devices for the deployment"]);
    expect(await create({ ...good, devices: [UNKNOWN] })).toEqual([400, expect.stringContaining(UNKNOWN)]);
    expect(await create({ ...good, artifact_name: "none" })).toEqual([422, "No artifact for the deployment"]);
    expect(await create(good)).toEqual([201, ""]);
    expect(await create(good)).toEqual([409, expect.stringContaining("active deployment with the same parameters")]);
    expect(await create({ ...good, devices: undefined, all_devices: true, force_installation: true })).toEqual([
      201,
      "",
    ]);
    expect(await create({ ...good, devices: [device.id], all_devices: true })).toEqual([400, expect.any(String)]);
  });
});
