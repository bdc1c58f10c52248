import type { LogMessage } from "@upkeep/shared/protocol";
import { expect, test } from "vitest";
import type { LogQuery } from "../../../mock-server/domain.ts";
import { Fleet } from "../specification/fleet.ts";

const line = (level: string, message: string): LogMessage => ({ timestamp: "2027-01-01T00:00:00Z", level, message });
const LOG = [
  line("info", "Downloading"),
  line("warn", "slow network"),
  line("chatter", "Downloaded"),
  line("ERROR", "no space"),
  line("debug", "rolling back"),
];

test("A log is read by pages, by severity and by text; numbers are those of the whole log", async () => {
  const fleet = await Fleet.of(1);
  const device = fleet.at(0);
  const id = await fleet.deploy(1, { retries: 1 });
  const { deviceSide, insight } = fleet.domain;
  await fleet.go(device, id, "failure");
  await deviceSide.saveLog(device, id, [line("error", "first attempt")]);
  await fleet.poll(device);
  await deviceSide.saveLog(device, id, LOG);
  const read = async (query: LogQuery) => {
    const { messages, total, more } = await insight.log(id, device, query);
    return [messages.map(({ number }) => number), total, more];
  };
  expect(await read({})).toEqual([[1, 2, 3, 4, 5], 5, false]);
  expect(await read({ limit: 2 })).toEqual([[1, 2], 5, true]);
  expect(await read({ limit: 3, after: 2 })).toEqual([[3, 4, 5], 5, false]);
  expect(await read({ level: "warning" })).toEqual([[2, 4], 2, false]);
  expect(await read({ level: "info", limit: 1, after: 1 })).toEqual([[2], 4, true]);
  expect(await read({ text: "DOWNLOAD" })).toEqual([[1, 3], 2, false]);
  expect(await insight.log(id, device, { attempt: 1 })).toMatchObject({
    attempt: 1,
    attempts: [1, 2],
    receivedMs: fleet.system.nowMs,
    messages: [{ number: 1, message: "first attempt" }],
  });
  expect((await insight.log(id, device, {})).attempt).toBe(2);
  await expect(insight.log(id, device, { attempt: 3 })).rejects.toMatchObject({ code: "log-not-found" });
});
