import { expect, test } from "vitest";
import { PROVIDES } from "../domain-fixture.ts";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";

test("Failures are counted by reason: of one deployment, and of all since a time", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id: device } = await server.device("02:00:00:00:00:01");
  await server.uploaded();
  const deployment = await server.deployed("release-1", [device]);
  await server.domain.deviceSide.next(device, { ...PROVIDES, device_type: "board" });
  await server.domain.deviceSide.report(device, deployment, "failure", "no space left");
  const groups = [{ reason: "no space left", count: 1, devices: [{ id: device, deployment_id: deployment }] }];
  expect((await server.manage(`${DEPLOYMENTS}/deployments/${deployment}/failures`)).json()).toEqual(groups);
  const second = Math.floor(server.system.nowMs / 1000);
  const since = async (time: number) => (await server.manage(`${DEPLOYMENTS}/failures?since=${time}`)).json();
  expect(await since(second)).toEqual(groups);
  expect(await since(second + 1)).toEqual([]);
  expect((await server.manage(`${DEPLOYMENTS}/failures?since=yesterday`)).statusCode).toBe(400);
  expect((await server.manage(`${DEPLOYMENTS}/deployments/${device}/failures`)).statusCode).toBe(404);
  const [row] = (await server.manage(`${DEPLOYMENTS}/deployments/${deployment}/devices`)).json();
  expect(row).toMatchObject({ status: "failure", reason: "no space left" });
});
