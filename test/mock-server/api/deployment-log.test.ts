import { expect, test } from "vitest";
import { PROVIDES } from "../domain-fixture.ts";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";

test("A log is answered as text, or as JSON by pages", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id: device } = await server.device("02:00:00:00:00:01");
  await server.uploaded();
  const id = await server.deployed("release-1", [device]);
  await server.domain.deviceSide.next(device, { ...PROVIDES, device_type: "board" });
  const timestamp = "2027-01-01T01:00:00+01:00";
  await server.domain.deviceSide.saveLog(device, id, [
    { timestamp, level: "info", message: "begun" },
    { timestamp, level: "error", message: "no space" },
  ]);
  const log = (query: string) => server.manage(`${DEPLOYMENTS}/deployments/${id}/devices/${device}/log${query}`);
  expect((await log("")).body).toBe("2027-01-01T00:00:00.000Z info: begun\n2027-01-01T00:00:00.000Z error: no space\n");
  expect((await log("?level=error")).body).toBe("2027-01-01T00:00:00.000Z error: no space\n");
  const page = (await log("?format=json&limit=1")).json();
  const message = { timestamp: "2027-01-01T00:00:00.000Z" };
  expect(page).toEqual({
    attempt: 1,
    attempts: [1],
    received: new Date(server.system.nowMs).toISOString(),
    total: 2,
    messages: [{ ...message, number: 1, level: "info", message: "begun" }],
    next: 1,
  });
  const rest = (await log(`?format=json&limit=1&after=${page.next}`)).json();
  expect(rest.messages).toEqual([{ ...message, number: 2, level: "error", message: "no space" }]);
  expect(rest.next).toBeUndefined();
  for (const query of ["?level=loud", "?limit=0", "?after=-1", "?format=xml"]) {
    expect([query, (await log(query)).statusCode]).toEqual([query, 400]);
  }
});
