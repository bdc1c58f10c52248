import { expect, test } from "vitest";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";

const PREVIEW = `${DEPLOYMENTS}/deployments/preview`;

test("A preview takes the body of each kind of creation, and creates nothing", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id } = await server.device("02:00:00:00:00:01");
  const artifact = await server.uploaded();
  await server.domain.inventory.replace(id, [
    { name: "device_type", value: "board" },
    { name: "artifact_name", value: "factory" },
  ]);
  await server.domain.groups.assign(id, "lab");
  const filter_id = await server.domain.filters.create("boards", [
    { scope: "inventory", attribute: "device_type", type: "$eq", value: "board" },
  ]);
  const preview = (to: object) =>
    server.manage(PREVIEW, { method: "POST", body: { artifact_name: "release-1", phases: [{}], ...to } });
  for (const to of [{ all_devices: true }, { devices: [id] }, { group: "lab" }, { filter_id, max_devices: 5 }]) {
    const answer = await preview(to);
    expect([to, answer.statusCode, answer.json()]).toEqual([
      to,
      200,
      {
        target_count: 1,
        outcomes: [
          {
            outcome: "artifact",
            artifact: { id: artifact, name: "release-1", size: expect.any(Number) },
            device_type: "board",
            count: 1,
            devices: [id],
          },
        ],
        phases: [{ batch_size: 100, places: 1 }],
      },
    ]);
  }
  expect((await preview({})).statusCode).toBe(400);
  expect((await preview({ group: "lab", all_devices: true })).statusCode).toBe(400);
  expect((await preview({ all_devices: true, artifact_name: "nothing" })).statusCode).toBe(422);
  expect((await server.manage(`${DEPLOYMENTS}/deployments`)).json()).toEqual([]);
});
