import { expect, test } from "vitest";
import { PROVIDES } from "../domain-fixture.ts";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";

test("A retry is created like a deployment, and both versions tell what it retries", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id: device } = await server.device("02:00:00:00:00:01");
  await server.uploaded();
  const id = await server.deployed("release-1", [device]);
  const retry = (body?: object) =>
    server.manage(`${DEPLOYMENTS}/deployments/${id}/retry`, {
      method: "POST",
      ...(body === undefined ? {} : { body }),
    });
  expect((await retry()).statusCode).toBe(400);
  await server.domain.deviceSide.next(device, { ...PROVIDES, device_type: "board" });
  await server.domain.deviceSide.report(device, id, "failure");
  const answer = await retry();
  expect(answer.statusCode).toBe(201);
  const location = String(answer.headers.location);
  expect(location).toMatch(/^\/api\/management\/v1\/deployments\/deployments\/[0-9a-f-]{36}$/);
  expect((await server.manage(location)).json()).toMatchObject({ retry_of: id });
  const [second] = (await server.manage("/api/management/v2/deployments/deployments")).json();
  expect(second).toMatchObject({ id: location.split("/").at(-1), retry_of: id });
  expect((await retry()).statusCode).toBe(409);
  expect((await retry({ name: "once more" })).statusCode).toBe(201);
});
