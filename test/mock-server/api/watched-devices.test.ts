import { expect, test } from "vitest";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";

test("The list of a deployment's devices has those that have not asked, if that is wanted, and what they wait for", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id: device } = await server.device("02:00:00:00:00:01");
  await server.uploaded();
  const id = await server.deployed("release-1", [device]);
  const time = new Date(server.system.nowMs).toISOString();
  const list = (query: string) => server.manage(`${DEPLOYMENTS}/deployments/${id}/devices/list${query}`);
  expect((await list("")).json()).toEqual([]);
  const answer = await list("?unasked=true&text=02:00&sort=created:desc");
  expect(answer.headers["x-total-count"]).toBe("1");
  expect(answer.json()).toEqual([
    {
      id: device,
      status: "pending",
      created: time,
      log: false,
      attempts: 1,
      retries: 0,
      asked: false,
      waiting_for: { kind: "poll", since: time },
    },
  ]);
  expect((await list("?unasked=true&reason=anything")).json()).toEqual([]);
  expect((await list("?sort=size")).statusCode).toBe(400);
});
