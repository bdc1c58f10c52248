import { describe, expect, test } from "vitest";
import { DEPLOYMENTS, DEVICE_API, TestServer } from "./fixture.ts";

const INVENTORY = "/api/management/v1/inventory";
const INVENTORY_V2 = "/api/management/v2/inventory";
const DEVAUTH = "/api/management/v2/devauth";
const RELEASES = "/api/management/v2/deployments/deployments/releases";
const DYNAMIC = "/api/management/v2/deployments/deployments";

async function fleet() {
  const server = await TestServer.open({ autoAccept: true });
  const devices = [];
  for (const mac of ["1", "2", "3"]) devices.push(await server.device(mac));
  const [first, second, third] = devices;
  if (first === undefined || second === undefined || third === undefined) throw new Error("three devices were made");
  return { server, first, second, third };
}

function idIn(location: unknown): string {
  return String(location).split("/").at(-1) ?? "";
}

describe("static groups", () => {
  test("are filled one by one and all at once, listed, and end when they are empty", async () => {
    const { server, first, second, third } = await fleet();
    const ids = [second.id, third.id].sort();
    const put = await server.manage(`${INVENTORY}/devices/${first.id}/group`, {
      method: "PUT",
      body: { group: "lab" },
    });
    expect(put.statusCode).toBe(204);
    const body = [...ids, "unknown"];
    const patched = await server.manage(`${INVENTORY}/groups/field/devices`, { method: "PATCH", body });
    expect(patched.json()).toEqual({ updated_count: 2, matched_count: 2 });
    expect((await server.manage(`${INVENTORY}/groups`)).json()).toEqual(["field", "lab"]);
    const members = await server.manage(`${INVENTORY}/groups/field/devices?per_page=1`);
    expect([members.json(), members.headers["x-total-count"]]).toEqual([[ids[0]], "2"]);
    expect((await server.manage(`${INVENTORY}/devices/${first.id}/group`)).json()).toEqual({ group: "lab" });

    const taken = `${INVENTORY}/devices/${first.id}/group/field`;
    expect((await server.manage(taken, { method: "DELETE" })).statusCode).toBe(404);
    expect((await server.manage(taken.replace("field", "lab"), { method: "DELETE" })).statusCode).toBe(204);
    expect((await server.manage(`${INVENTORY}/devices/${first.id}/group`)).json()).toEqual({ group: null });
    expect((await server.manage(`${INVENTORY}/groups`)).json()).toEqual(["field"]);
    const removed = await server.manage(`${INVENTORY}/groups/field/devices`, { method: "DELETE", body: [ids[0]] });
    expect(removed.json()).toEqual({ updated_count: 1, matched_count: 1 });
    expect((await server.manage(`${INVENTORY}/groups/field`, { method: "DELETE" })).statusCode).toBe(200);
    expect((await server.manage(`${INVENTORY}/groups/field/devices`)).statusCode).toBe(404);
  });

  test("get a deployment for who is in them now", async () => {
    const { server, first } = await fleet();
    await server.uploaded();
    await server.manage(`${INVENTORY}/devices/${first.id}/group`, { method: "PUT", body: { group: "lab" } });
    const create = (group: string, more = {}) =>
      server.manage(`${DEPLOYMENTS}/deployments/group/${group}`, {
        method: "POST",
        body: { name: "n", artifact_name: "release-1", ...more },
      });
    expect((await create("nobody")).json().error).toBe("No devices for the deployment");
    expect((await create("lab", { all_devices: true })).statusCode).toBe(400);
    const created = await create("lab", { devices: [] });
    expect(created.statusCode).toBe(201);
    const shown = (await server.manage(`${DEPLOYMENTS}/deployments/${idIn(created.headers.location)}`)).json();
    expect(shown).toMatchObject({
      groups: ["lab"],
      max_devices: 1,
      filter: { name: "lab", terms: [{ scope: "system", attribute: "group", type: "$eq", value: "lab" }] },
    });
  });
});

describe("tags of devices", () => {
  test("are replaced and added to, only if they are still what somebody saw", async () => {
    const { server, first } = await fleet();
    const path = `${INVENTORY}/devices/${first.id}`;
    const put = await server.manage(`${path}/tags`, { method: "PUT", body: [{ name: "site", value: "north" }] });
    expect([put.statusCode, put.body]).toEqual([200, ""]);
    const shown = await server.manage(path);
    expect(shown.headers.etag).toBe(put.headers.etag);
    const change = (etag: string) =>
      server.manage(`${path}/tags`, {
        method: "PATCH",
        headers: { "if-match": etag },
        body: [{ name: "floor", value: "2", description: "above the hall" }],
      });
    expect((await change('"old"')).statusCode).toBe(412);
    expect((await change(String(put.headers.etag))).statusCode).toBe(200);
    const tags = (await server.manage(path))
      .json()
      .attributes.filter(({ scope }: { scope: string }) => scope === "tags");
    expect(tags.map(({ name, value }: { name: string; value: unknown }) => [name, value])).toEqual([
      ["floor", "2"],
      ["site", "north"],
    ]);
  });
});

describe("finding devices", () => {
  async function told() {
    const made = await fleet();
    const { server, first, second } = made;
    for (const [device, memory] of [
      [first, 512],
      [second, 1024],
    ] as const) {
      await server.call("/api/devices/v1/inventory/device/attributes", {
        method: "PUT",
        body: [{ name: "memory", value: memory }],
        ...device,
      });
    }
    return made;
  }

  const memory = (type: string, value: unknown) => ({ scope: "inventory", attribute: "memory", type, value });

  test("by conditions, sorted, and only what is asked for of each", async () => {
    const { server, first, second } = await told();
    const answer = await server.manage(`${INVENTORY_V2}/filters/search`, {
      method: "POST",
      body: {
        filters: [memory("$gte", 512)],
        sort: [{ scope: "inventory", attribute: "memory", order: "desc" }],
        attributes: [{ scope: "inventory", attribute: "memory" }],
      },
    });
    expect(answer.headers["x-total-count"]).toBe("2");
    expect(answer.json().map(({ id }: { id: string }) => id)).toEqual([second.id, first.id]);
    expect(answer.json()[0].attributes.map(({ name }: { name: string }) => name)).toEqual(["memory", "updated_ts"]);
  });

  test("from the first page, twenty to a page, if less than one is asked for", async () => {
    const { server } = await fleet();
    const url = `${INVENTORY_V2}/filters/search`;
    const answer = await server.manage(url, { method: "POST", body: { page: 0, per_page: 0 } });
    expect([answer.statusCode, answer.headers["x-total-count"]]).toEqual([200, "3"]);
    expect(answer.json()).toHaveLength(3);
  });

  test.each([
    [{ filters: [memory("$like", 1)] }, "filters.0.type"],
    [{ filters: [{ scope: "inventory", type: "$eq", value: 1 }] }, "filters.0.attribute"],
    [{ filters: [memory("$regex", "(")] }, "filters.0.value"],
    [{ per_page: 501 }, "per_page"],
    [{ sort: [{ scope: "inventory", attribute: "memory", order: "up" }] }, "sort.0.order"],
  ])("not by %o", async (body, field) => {
    const { server } = await fleet();
    const answer = await server.manage(`${INVENTORY_V2}/filters/search`, { method: "POST", body });
    expect([answer.statusCode, answer.json().error]).toEqual([400, expect.stringContaining(field)]);
  });

  test("knows which attributes there are, and how many devices have each status", async () => {
    const { server } = await told();
    const names = (await server.manage(`${INVENTORY_V2}/filters/attributes`)).json();
    expect(names).toContainEqual({ scope: "inventory", name: "memory", count: 2 });
    const statistics = (await server.manage(`${INVENTORY_V2}/statistics`)).json();
    expect(statistics.devices_by_status.accepted).toEqual({ standard: 3, micro: 0, system: 0 });
  });

  test("filters are saved, searched and deleted", async () => {
    const { server, second } = await told();
    const save = () =>
      server.manage(`${INVENTORY_V2}/filters`, {
        method: "POST",
        body: { name: "large", terms: [memory("$gt", 600)] },
      });
    const saved = await save();
    expect([saved.statusCode, saved.headers.location]).toEqual([
      201,
      expect.stringMatching(/^filters\/[0-9a-f-]{36}$/),
    ]);
    expect((await save()).statusCode).toBe(409);
    const path = `${INVENTORY_V2}/${saved.headers.location}`;
    expect((await server.manage(path)).json()).toEqual({
      id: idIn(path),
      name: "large",
      terms: [memory("$gt", 600)],
    });
    expect((await server.manage(`${INVENTORY_V2}/filters`)).json()).toHaveLength(1);
    const found = await server.manage(`${path}/search`);
    expect(found.json().map(({ id }: { id: string }) => id)).toEqual([second.id]);
    expect((await server.manage(path, { method: "DELETE" })).statusCode).toBe(204);
    expect((await server.manage(path)).statusCode).toBe(404);
  });

  test("a deployment to a filter is open to who matches, in phases and with retries, until it is finished", async () => {
    const { server, second, third } = await told();
    await server.uploaded();
    const saved = await server.manage(`${INVENTORY_V2}/filters`, {
      method: "POST",
      body: { name: "large", terms: [memory("$gt", 600)] },
    });
    const created = await server.manage(DYNAMIC, {
      method: "POST",
      body: {
        name: "to the large ones",
        artifact_name: "release-1",
        filter_id: idIn(saved.headers.location),
        max_devices: 5,
        retries: 2,
        phases: [{ error_threshold: 50 }],
      },
    });
    expect([created.statusCode, created.body]).toEqual([201, ""]);
    const id = idIn(created.headers.location);
    const poll = (device: { token: string }) =>
      server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
    expect((await poll(second)).json().id).toBe(id);
    expect((await poll(third)).statusCode).toBe(204);
    expect((await server.manage(`${DEPLOYMENTS}/deployments/${id}`)).json()).toMatchObject({
      dynamic: true,
      status: "pending",
      max_devices: 5,
      initial_device_count: 1,
      retries: 2,
      filter: { name: "large", terms: [memory("$gt", 600)] },
      phases: [{ batch_size: 100, device_count: 1, state: "active", error_threshold: 50 }],
    });
    const change = async (status: string) =>
      (await server.manage(`${DEPLOYMENTS}/deployments/${id}/status`, { method: "PUT", body: { status } })).statusCode;
    expect(await change("paused")).toBe(204);
    expect((await server.manage(`${DEPLOYMENTS}/deployments/${id}`)).json().paused).toMatchObject({
      reason: "paused by a user",
    });
    expect(await change("resumed")).toBe(204);
    expect(await change("finished")).toBe(204);
    expect(await change("finished")).toBe(422);
  });
});

describe("the map that tells devices where to pause", () => {
  test("is handed to clients that ask for it, changed, and released", async () => {
    const { server, first } = await fleet();
    await server.uploaded();
    const states = { ArtifactInstall_Enter: { action: "pause" } };
    const created = await server.manage(`${DEPLOYMENTS}/deployments`, {
      method: "POST",
      body: {
        name: "with care",
        artifact_name: "release-1",
        devices: [first.id],
        update_control_map: { priority: 1, states },
      },
    });
    const id = idIn(created.headers.location);
    const next = (flag: object) =>
      server.call("/api/devices/v2/deployments/device/deployments/next", {
        method: "POST",
        body: { device_provides: { device_type: "board", artifact_name: "factory" }, ...flag },
        ...first,
      });
    expect((await next({ update_control_map: true })).json().update_control_map).toEqual({ id, priority: 1, states });
    expect((await next({})).json()).not.toHaveProperty("update_control_map");

    const asked = () => server.call(`/api/devices/v2/deployments/device/deployments/${id}/update_control_map`, first);
    expect((await asked()).json()).toEqual({ update_control_map: { id, priority: 1, states } });
    const proceed = await server.manage(`${DEPLOYMENTS}/deployments/${id}/continue`, { method: "POST" });
    expect(proceed.statusCode).toBe(204);
    expect((await asked()).json().update_control_map.states.ArtifactInstall_Enter.action).toBe("force_continue");
    const patch = (update_control_map: unknown) =>
      server.manage(`${DEPLOYMENTS}/deployments/${id}`, { method: "PATCH", body: { update_control_map } });
    expect((await patch({ states: { Nowhere: { action: "pause" } } })).statusCode).toBe(400);
    expect((await patch(null)).statusCode).toBe(204);
    expect((await asked()).statusCode).toBe(204);
  });
});

describe("releases", () => {
  test("have notes and tags, are found by them, and are deleted unless they are being deployed", async () => {
    const { server, first } = await fleet();
    await server.uploaded();
    await server.uploaded({ name: "release-2" });
    await server.deployed("release-1", [first.id]);
    const patched = await server.manage(`${RELEASES}/release-1`, { method: "PATCH", body: { notes: "as asked" } });
    expect(patched.statusCode).toBe(204);
    const tagged = await server.manage(`${RELEASES}/release-1/tags`, {
      method: "PUT",
      body: ["Stable", "stable", "a"],
    });
    expect(tagged.statusCode).toBe(204);
    const found = await server.manage(`${RELEASES}?tag=STABLE`);
    expect(found.json()).toMatchObject([{ name: "release-1", notes: "as asked", tags: ["a", "stable"] }]);
    expect((await server.manage("/api/management/v2/deployments/releases/all/tags")).json()).toEqual(["a", "stable"]);
    expect((await server.manage("/api/management/v2/deployments/releases/all/types")).json()).toEqual(["single-file"]);
    expect((await server.manage(RELEASES, { method: "DELETE" })).statusCode).toBe(400);
    const refused = await server.manage(`${RELEASES}?name=release-1&name=release-2`, { method: "DELETE" });
    expect([refused.statusCode, refused.json().active_deployments]).toEqual([409, [expect.any(String)]]);
    expect(server.blobFiles()).toHaveLength(2);
    expect((await server.manage(`${RELEASES}?name=release-2`, { method: "DELETE" })).statusCode).toBe(204);
    expect(server.blobFiles()).toHaveLength(1);
    expect((await server.manage(`${RELEASES}/release-2`)).statusCode).toBe(404);
  });
});

describe("accepting devices", () => {
  test("ends at the limit", async () => {
    const { server } = await fleet();
    const path = `${DEVAUTH}/limits/max_devices`;
    expect((await server.manage(path)).json()).toEqual({ limit: -1 });
    expect((await server.manage(path, { method: "PUT", body: { limit: 3 } })).statusCode).toBe(204);
    expect((await server.manage(path)).json()).toEqual({ limit: 3 });
    await expect(server.device("4")).rejects.toThrow("unauthorized");
    const other = await server.manage(`${DEVAUTH}/limits/max_hats`);
    expect([other.statusCode, other.json().error]).toEqual([
      400,
      expect.stringContaining("unsupported limit max_hats"),
    ]);
  });

  test("deployments are found by what a device is called, if none has that name", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const [first, second] = [await server.device("1"), await server.device("2")];
    await server.uploaded({ name: "release-1" });
    const id = await server.deployed("release-1", [first.id, second.id]);
    const only = await server.deployed("release-1", [second.id]);
    for (const { token } of [first, second]) {
      const poll = { method: "GET", token } as const;
      expect((await server.call(`${DEVICE_API}/next?artifact_name=a&device_type=board`, poll)).statusCode).toBe(200);
    }
    await server.manage(`${INVENTORY}/devices/${first.id}/tags`, {
      method: "PUT",
      body: [{ name: "place", value: "roof" }],
    });
    const found = async (query: string) => {
      const answer = await server.manage(`/api/management/v2/deployments/deployments?${query}`);
      return answer.json().map((one: { id: string }) => one.id);
    };
    expect(await found("name=1&id_attribute=mac")).toEqual([id]);
    expect(await found("name=roof&id_attribute=place&id_scope=tags")).toEqual([id]);
    expect(await found("name=roof&id_attribute=place")).toEqual([]);
    expect(await found("name=3&id_attribute=mac")).toEqual([]);
    // A name comes first.
    expect((await found("name=to+release-1&id_attribute=mac")).sort()).toEqual([id, only].sort());
  });

  test("devices are searched by many ids and statuses", async () => {
    const { server, first, second } = await fleet();
    const search = async (body: object) => {
      const answer = await server.manage(`${DEVAUTH}/devices/search`, { method: "POST", body });
      return answer.json().map(({ id }: { id: string }) => id);
    };
    expect(await search({ id: [first.id, second.id] })).toEqual([first.id, second.id].sort());
    expect(await search({ id: first.id, status: "accepted" })).toEqual([first.id]);
    expect(await search({ status: ["no such status"] })).toEqual([]);
    expect(await search({})).toHaveLength(3);
    const form = async (body: string) => {
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const answer = await server.manage(`${DEVAUTH}/devices/search`, { method: "POST", body, headers });
      return answer.json().map(({ id }: { id: string }) => id);
    };
    expect(await form(`id=${first.id}&id=${second.id}`)).toEqual([first.id, second.id].sort());
    expect(await form(`id=${first.id}&status=accepted&status=pending`)).toEqual([first.id]);
    expect(await form("status=no+such+status")).toEqual([]);
    // Nothing else takes forms.
    const asForm = { body: "group=lab", headers: { "content-type": "application/x-www-form-urlencoded" } };
    const other = await server.manage(`${INVENTORY}/devices/${first.id}/group`, { method: "PUT", ...asForm });
    expect(other.statusCode).toBe(415);
  });
});
