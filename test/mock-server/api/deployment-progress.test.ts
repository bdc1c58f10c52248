import { expect, test } from "vitest";
import { PROVIDES } from "../domain-fixture.ts";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";

test("The timeline of a device and the progress of a deployment are told in the API's times and seconds", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { domain, system } = server;
  const { id: device } = await server.device("02:00:00:00:00:01");
  await server.uploaded();
  const startMs = system.nowMs;
  const time = (seconds: number) => new Date(startMs + seconds * 1000).toISOString();
  const id = await server.deployed("release-1", [device]);
  const get = (path: string) => server.manage(`${DEPLOYMENTS}/deployments/${id}/${path}`);
  expect((await get(`devices/${device}/timeline`)).statusCode).toBe(404);
  system.nowMs += 10_000;
  await domain.deviceSide.next(device, { ...PROVIDES, device_type: "board" });
  system.nowMs += 20_000;
  await domain.deviceSide.report(device, id, "failure", "no space left");
  expect((await get(`devices/${device}/timeline`)).json()).toEqual({
    id: device,
    deployment_id: id,
    status: "failure",
    states: [
      { status: "pending", attempt: 1, started: time(10), finished: time(30), instructed: time(10), seconds: 20 },
      { status: "failure", attempt: 1, substate: "no space left", started: time(30) },
    ],
  });
  expect((await get("progress?step=20")).json()).toEqual({
    from: time(0),
    to: time(30),
    step: 20,
    points: [
      { ts: time(0), status: { pending: 1 } },
      { ts: time(20), status: { pending: 1 } },
      { ts: time(40), status: { failure: 1 } },
    ],
    phases: [],
  });
  const answers = [get("progress?step=0"), get("progress?from=5&to=4"), get("progress?from=0&step=1")];
  expect((await Promise.all(answers)).map(({ statusCode }) => statusCode)).toEqual([400, 400, 400]);
});
