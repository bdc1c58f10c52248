import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@upkeep/shared/logging";
import type { LightMyRequestResponse } from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { composeServer, DEFAULT_OPTIONS, openFileBlobs } from "../../../mock-server/index.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { Fleet } from "./fleet.ts";

const INVENTORY = "/api/management/v1/inventory";
const DEPLOYMENTS = "/api/management/v1/deployments/deployments";

type Call = (method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE", url: string, body?: unknown) => Answer;
type Answer = Promise<LightMyRequestResponse>;

/** The management API over a fleet's records, as whoever has logged in calls it. */
async function managementOf({ domain, system }: Fleet): Promise<Call> {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-specification-"));
  const door = { ...openSystem(), clock: system.clock, random: system.random };
  const server = await composeServer(door, {
    ...DEFAULT_OPTIONS,
    insecureNoAuth: true,
    data: { domain, blobs: await openFileBlobs(door.files, folder) },
    logger: createLogger({ level: "error", format: "json", write: () => undefined, now: system.clock.now }),
  });
  onTestFinished(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  const { app } = server;
  return (method, url, body) => {
    if (body === undefined) return app.inject({ method, url });
    return app.inject({ method, url, headers: { "content-type": "application/json" }, payload: JSON.stringify(body) });
  };
}

const idOf = ({ headers }: LightMyRequestResponse): string => String(headers.location).split("/").at(-1) ?? "";

/** What the specification says of the console, the API can do. */
describe("Through the API", () => {
  test("2.2 devices are put in a static group and taken out of it, alone and together", async () => {
    const fleet = await Fleet.of(3);
    const call = await managementOf(fleet);
    const members = async () => (await call("GET", `${INVENTORY}/groups/lab/devices`)).json() as string[];
    const put = await call("PUT", `${INVENTORY}/devices/${fleet.at(0)}/group`, { group: "lab" });
    expect(put.statusCode).toBe(204);
    expect(await members()).toEqual([fleet.at(0)]);
    const added = await call("PATCH", `${INVENTORY}/groups/lab/devices`, fleet.devices);
    expect([added.statusCode, added.json()]).toEqual([200, { matched_count: 3, updated_count: 2 }]);
    expect((await members()).sort()).toEqual([...fleet.devices].sort());
    const out = await call("DELETE", `${INVENTORY}/devices/${fleet.at(1)}/group/lab`);
    expect(out.statusCode).toBe(204);
    const rest = await call("DELETE", `${INVENTORY}/groups/lab/devices`, fleet.devices);
    expect(rest.json()).toEqual({ matched_count: 2, updated_count: 2 });
    expect((await call("GET", `${INVENTORY}/groups`)).json()).toEqual([]);
  });

  test("2.3 a device that does not exist is put in no group, and taken out of none", async () => {
    const call = await managementOf(await Fleet.of(1));
    const nobody = "00000000-0000-4000-8000-000000000000";
    expect((await call("PUT", `${INVENTORY}/devices/${nobody}/group`, { group: "lab" })).statusCode).toBe(404);
    expect((await call("DELETE", `${INVENTORY}/devices/${nobody}/group/lab`)).statusCode).toBe(404);
    expect((await call("GET", `${INVENTORY}/groups`)).json()).toEqual([]);
  });

  test("3.1 a deployment is created for listed devices", async () => {
    const fleet = await Fleet.of(3);
    const call = await managementOf(fleet);
    const devices = [fleet.at(0), fleet.at(2)];
    const answer = await call("POST", DEPLOYMENTS, { name: "two", artifact_name: "release-1", devices });
    expect(answer.statusCode).toBe(201);
    const id = idOf(answer);
    expect((await call("GET", `${DEPLOYMENTS}/${id}/device_list`)).json().sort()).toEqual([...devices].sort());
    expect(await Promise.all(fleet.devices.map((device) => fleet.poll(device)))).toEqual([id, undefined, id]);
  });

  test("3.2 a deployment is created for all devices of a static group", async () => {
    const fleet = await Fleet.of(3);
    const call = await managementOf(fleet);
    await call("PATCH", `${INVENTORY}/groups/lab/devices`, [fleet.at(1), fleet.at(2)]);
    const answer = await call("POST", `${DEPLOYMENTS}/group/lab`, { name: "lab", artifact_name: "release-1" });
    expect(answer.statusCode).toBe(201);
    const id = idOf(answer);
    expect((await call("GET", `${DEPLOYMENTS}/${id}`)).json()).toMatchObject({ groups: ["lab"], max_devices: 2 });
    expect(await Promise.all(fleet.devices.map((device) => fleet.poll(device)))).toEqual([undefined, id, id]);
  });

  test.each(["finished", "aborted"])("6.6 a user marks a deployment to a filter as completed: %s", async (word) => {
    const fleet = await Fleet.of(2);
    const call = await managementOf(fleet);
    for (const device of fleet.devices) await fleet.tell(device, { channel: "beta" });
    const terms = [{ scope: "inventory", attribute: "channel", type: "$eq", value: "beta" }];
    const filter = await call("POST", "/api/management/v2/inventory/filters", { name: "beta", terms });
    const created = await call("POST", "/api/management/v2/deployments/deployments", {
      name: "beta",
      artifact_name: "release-1",
      filter_id: idOf(filter),
    });
    expect(created.statusCode).toBe(201);
    const id = idOf(created);
    await fleet.go(fleet.at(0), id);
    expect((await call("GET", `${DEPLOYMENTS}/${id}`)).json()).toMatchObject({ status: "pending" });
    expect((await call("PUT", `${DEPLOYMENTS}/${id}/status`, { status: word })).statusCode).toBe(204);
    expect((await call("GET", `${DEPLOYMENTS}/${id}`)).json()).toMatchObject({
      status: "finished",
      finished: new Date(fleet.system.nowMs).toISOString(),
      statistics: { status: { success: 1, pending: 0 } },
    });
    expect(await fleet.poll(fleet.at(1))).toBeUndefined();
    expect((await call("PUT", `${DEPLOYMENTS}/${id}/status`, { status: word })).statusCode).toBe(422);
  });
});
