import { describe, expect, test } from "vitest";
import { PASSWORD, TestServer } from "./fixture.ts";

const USERS = "/api/management/v1/useradm/users";
const ROLES = ["v1", "v2"].map((version) => `/api/management/${version}/useradm/roles`);

async function made(body: object) {
  const server = await TestServer.open();
  const answer = await server.manage(USERS, {
    method: "POST",
    body: { email: "new@example.com", password: PASSWORD, ...body },
  });
  const [, user] = (await server.manage(USERS)).json();
  return { server, answer, user };
}

describe("a new user", () => {
  test.each([
    [["RBAC_ROLE_PERMIT_ALL"], "admin"],
    [["RBAC_ROLE_OBSERVER"], "read-only"],
    [["RBAC_ROLE_CI"], "ci-upload"],
    [["ci-upload"], "ci-upload"],
    [["RBAC_ROLE_CI", "RBAC_ROLE_PERMIT_ALL"], "admin"],
  ])("with the reference's roles %j is %s", async (roles, role) => {
    const { answer, user } = await made({ roles });
    expect([answer.statusCode, answer.body]).toEqual([201, ""]);
    expect(user).toMatchObject({ role });
    expect(user.roles).toEqual([
      { admin: "RBAC_ROLE_PERMIT_ALL", "read-only": "RBAC_ROLE_OBSERVER", "ci-upload": "RBAC_ROLE_CI" }[role],
    ]);
  });

  test.each([
    [{ roles: ["RBAC_ROLE_DEPLOYMENTS_MANAGER"] }, 'roles.0: there is no role "RBAC_ROLE_DEPLOYMENTS_MANAGER"'],
    [{ roles: ["RBAC_ROLE_REMOTE_TERMINAL"] }, 'roles.0: there is no role "RBAC_ROLE_REMOTE_TERMINAL"'],
    [{ roles: ["RBAC_ROLE_CI", "my own"] }, 'roles.1: there is no role "my own"'],
    [
      { roles: ["RBAC_ROLE_CI", "RBAC_ROLE_OBSERVER"] },
      "roles: a user has one role, not RBAC_ROLE_CI and RBAC_ROLE_OBSERVER",
    ],
    [{ roles: ["RBAC_ROLE_CI"], role: "admin" }, "role: is admin, but roles says ci-upload"],
    [{ roles: "RBAC_ROLE_CI" }, "roles: "],
    [{ send_reset_password: true }, "send_reset_password: "],
    [{ tenant_id: "t" }, "tenant_id: there is no such field"],
  ])("%j is not made", async (body, message) => {
    const { answer, user } = await made(body);
    expect([answer.statusCode, answer.json().error]).toEqual([400, expect.stringContaining(message)]);
    expect(user).toBeUndefined();
  });

  test.each([[{}], [{ roles: [] }], [{ send_reset_password: false }]])(
    "for whom no role is named changes nothing, and the answer says so: %j",
    async (body) => {
      const { answer, user } = await made(body);
      expect(answer.statusCode).toBe(201);
      expect(answer.headers["x-upkeep-warning"]).toBe(
        "no role was named: the user is read-only (RBAC_ROLE_OBSERVER) until it gets another",
      );
      expect(user).toMatchObject({ role: "read-only" });
    },
  );
});

test("a user's role is changed by either name; what was shown may come back", async () => {
  const { server, user } = await made({ roles: ["RBAC_ROLE_OBSERVER"] });
  const change = (body: object) => server.manage(`${USERS}/${user.id}`, { method: "PUT", body });
  expect((await change({ ...user, roles: ["RBAC_ROLE_CI"] })).statusCode).toBe(204);
  expect((await server.manage(`${USERS}/${user.id}`)).json()).toMatchObject({ role: "ci-upload" });
  expect((await change({ role: "admin" })).statusCode).toBe(204);
  const both = await change({ role: "read-only", roles: ["RBAC_ROLE_CI"] });
  expect([both.statusCode, both.json().error]).toEqual([400, "role: is read-only, but roles says ci-upload"]);
  expect((await change({ roles: ["RBAC_ROLE_REMOTE_TERMINAL"] })).statusCode).toBe(400);
});

test("the roles that there are, are listed under the reference's names", async () => {
  const server = await TestServer.open();
  for (const url of ROLES) {
    const roles = (await server.manage(`${url}?per_page=500`)).json();
    expect(roles.map(({ name }: { name: string }) => name)).toEqual([
      "RBAC_ROLE_PERMIT_ALL",
      "RBAC_ROLE_OBSERVER",
      "RBAC_ROLE_CI",
    ]);
    expect(roles[2].description).toContain("ci-upload");
    expect((await server.manage(url, { method: "POST", body: { name: "x" } })).statusCode).toBe(405);
  }
});

describe("the list of users", () => {
  const emails = async (server: TestServer, query: string) => {
    const answer = await server.manage(`${USERS}?${query}`);
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json().map(({ email }: { email: string }) => email.split("@")[0]);
  };

  test("holds those that were asked for, and no others", async () => {
    const server = await TestServer.open();
    const start = Math.floor(server.system.nowMs / 1000);
    const ids: Record<string, string> = {};
    for (const name of ["anna", "bert"]) {
      server.system.nowMs += 10_000;
      const body = { email: `${name}@example.com`, password: PASSWORD, role: "read-only" };
      const answer = await server.manage(USERS, { method: "POST", body });
      ids[name] = String(answer.headers.location).split("/").at(-1) ?? "";
    }
    server.system.nowMs += 10_000;
    await server.manage(`${USERS}/${ids.anna}`, { method: "PUT", body: { role: "ci-upload" } });
    expect(await emails(server, "email=nobody@example.com")).toEqual([]);
    expect(await emails(server, "email=ANNA@example.com&email=bert%40example.com")).toEqual(["anna", "bert"]);
    expect(await emails(server, `id=${ids.bert}`)).toEqual(["bert"]);
    expect(await emails(server, `id=${ids.bert}&email=anna@example.com`)).toEqual([]);
    expect(await emails(server, `created_after=${start}`)).toEqual(["anna", "bert"]);
    expect(await emails(server, `created_after=${start + 10}`)).toEqual(["bert"]);
    expect(await emails(server, `created_before=${start + 20}`)).toEqual(["admin", "anna"]);
    expect(await emails(server, `updated_after=${start + 20}`)).toEqual(["anna"]);
    expect(await emails(server, `updated_before=${start + 30}`)).toEqual(["admin", "bert"]);
  });

  test.each(["created_after=2027-01-01", "updated_before=x", "created_before=", "mail=a", "role=admin"])(
    "is refused for %s",
    async (query) => {
      const server = await TestServer.open();
      const answer = await server.manage(`${USERS}?${query}`);
      expect([answer.statusCode, answer.json().error]).toEqual([
        400,
        expect.stringMatching(new RegExp(`^${query.split("=")[0]}: `)),
      ]);
    },
  );
});

test("an update control map is told to have no effect on clients that do not ask for one", async () => {
  const server = await TestServer.open({ autoAccept: true });
  await server.device("1");
  await server.uploaded();
  const update_control_map = { states: { ArtifactInstall_Enter: { action: "pause" } } };
  const path = "/api/management/v1/deployments/deployments";
  const body = { name: "n", artifact_name: "release-1", all_devices: true };
  const plain = await server.manage(path, { method: "POST", body });
  expect([plain.statusCode, plain.headers["x-upkeep-warning"]]).toEqual([201, undefined]);
  const warning = expect.stringContaining("update_control_map: ");
  const paused = await server.manage(path, {
    method: "POST",
    body: { ...body, name: "m", force_installation: true, update_control_map },
  });
  expect([paused.statusCode, paused.headers["x-upkeep-warning"]]).toEqual([201, warning]);
  const changed = await server.manage(`${plain.headers.location}`, { method: "PATCH", body: { update_control_map } });
  expect([changed.statusCode, changed.headers["x-upkeep-warning"]]).toEqual([204, warning]);
});
