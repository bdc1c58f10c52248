import { expect, test } from "vitest";
import { DEVICE_API, TestServer } from "./fixture.ts";

const DAY_MS = 86_400_000;

test("Devices and inventories tell the last contact, and that it is overdue", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id, token } = await server.device("02:00:00:00:00:01");
  server.system.nowMs += 5000;
  const body = { artifact_name: "factory", device_type: "board" };
  const poll = await server.call(`${DEVICE_API}/next`, { method: "POST", body, token });
  expect(poll.statusCode).toBe(204);
  const shown = { last_contact_ts: new Date(server.system.nowMs).toISOString() };
  const all = async () => {
    const [device] = (await server.manage("/api/management/v2/devauth/devices")).json();
    const inventory = (await server.manage(`/api/management/v1/inventory/devices/${id}`)).json();
    return [device, inventory];
  };
  for (const one of await all()) {
    expect(one).toMatchObject(shown);
    expect(one.overdue).toBeUndefined();
  }
  server.system.nowMs += DAY_MS + 1;
  await server.domain.contacts.flush();
  const userToken = await server.domain.users.login("admin@example.com", "a long password");
  const late = (await server.manage("/api/management/v2/devauth/devices", { token: userToken })).json();
  expect(late).toMatchObject([{ ...shown, overdue: true }]);
});
