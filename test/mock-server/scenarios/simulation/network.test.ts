import { collectText, type HttpRequest, type System, type SystemError } from "@upkeep/shared/system";
import { expect, test } from "vitest";
import type { ExchangeEffect } from "../../../../mock-server/faults/effects/exchange.ts";
import { Disk, type Peer, SimulatedMachine, VirtualTime } from "../../../../mock-server/scenarios/simulation/index.ts";
import { SeededRandom } from "../../../../mock-server/system/seeded-random.ts";

const BODY = "0123456789".repeat(10);

/** One request in this weather: what became of it, when, and how often the server got it. */
async function exchange(effect: ExchangeEffect, options: { readonly peer?: Peer; readonly abortMs?: number } = {}) {
  const time = new VirtualTime();
  let delivered = 0;
  const device = new SimulatedMachine({
    time,
    chance: new SeededRandom("test"),
    disk: Disk.blank(),
    chunkBytes: 8,
    peer: (request) => {
      delivered++;
      return options.peer ? options.peer(request) : { status: 200, headers: { "x-name": "value" }, body: BODY };
    },
    weather: () => effect,
  });
  let outcome = "";
  let received = "";
  const program = async ({ network, timers }: System): Promise<void> => {
    const stop = new AbortController();
    if (options.abortMs !== undefined) timers.after(options.abortMs, () => stop.abort(new Error("stopped")));
    const request: HttpRequest = {
      method: "GET",
      url: "http://server/file",
      idleTimeoutMs: 60_000,
      signal: stop.signal,
    };
    try {
      const response = await network.request(request);
      for await (const chunk of response.body) received += new TextDecoder().decode(chunk);
      outcome = String(response.status);
    } catch (error) {
      outcome = (error as SystemError).code ?? (error as Error).message;
    }
  };
  expect(await time.until(device.boot(program))).toEqual({ kind: "returned" });
  return { outcome, received: received.length, delivered, atMs: time.nowMs };
}

test("an undisturbed exchange takes no time and arrives whole", async () => {
  expect(await exchange({})).toEqual({ outcome: "200", received: 100, delivered: 1, atMs: 0 });
});

test.each<[string, ExchangeEffect, Awaited<ReturnType<typeof exchange>>]>([
  ["refused", { connectError: "ECONNREFUSED" }, { outcome: "ECONNREFUSED", received: 0, delivered: 0, atMs: 0 }],
  ["an unknown name", { connectError: "ENOTFOUND" }, { outcome: "ENOTFOUND", received: 0, delivered: 0, atMs: 0 }],
  [
    "a bad certificate",
    { connectError: "CERT_HAS_EXPIRED" },
    { outcome: "CERT_HAS_EXPIRED", received: 0, delivered: 0, atMs: 0 },
  ],
  ["delays", { requestDelayMs: 200, answerDelayMs: 300 }, { outcome: "200", received: 100, delivered: 1, atMs: 500 }],
  [
    "a delay beyond patience",
    { answerDelayMs: 70_000 },
    { outcome: "ETIMEDOUT", received: 0, delivered: 1, atMs: 60_000 },
  ],
  ["a lost request", { loseRequest: "silence" }, { outcome: "ETIMEDOUT", received: 0, delivered: 0, atMs: 60_000 }],
  ["a stray request", { strayMs: 30_000 }, { outcome: "ETIMEDOUT", received: 0, delivered: 1, atMs: 60_000 }],
  ["a lost answer", { loseAnswer: "reset" }, { outcome: "ECONNRESET", received: 0, delivered: 1, atMs: 0 }],
  ["a duplicate", { duplicate: true }, { outcome: "200", received: 100, delivered: 2, atMs: 0 }],
  ["a cut", { cutBodyAt: 43 }, { outcome: "ECONNRESET", received: 43, delivered: 1, atMs: 0 }],
  ["a cut before the first byte", { cutBodyAt: 0 }, { outcome: "ECONNRESET", received: 0, delivered: 1, atMs: 0 }],
  [
    "a stall",
    { cutBodyAt: 43, cutBodyBy: "silence" },
    { outcome: "ETIMEDOUT", received: 43, delivered: 1, atMs: 60_000 },
  ],
  ["a slow link", { bytesPerSecond: 10 }, { outcome: "200", received: 100, delivered: 1, atMs: 10_000 }],
])("%s", async (_, effect, expected) => {
  expect(await exchange(effect)).toEqual(expected);
});

test("a peer without an answer refuses the connection", async () => {
  expect(await exchange({}, { peer: () => undefined })).toMatchObject({ outcome: "ECONNREFUSED" });
});

test("a server that answers later, in real turns of the event loop, does not let time pass", async () => {
  const peer: Peer = () => new Promise((resolve) => setImmediate(() => setImmediate(() => resolve({ status: 204 }))));
  expect(await exchange({}, { peer })).toMatchObject({ outcome: "204", atMs: 0 });
});

test("a request, and a body under way, end with the signal's reason", async () => {
  expect(await exchange({ answerDelayMs: 1000 }, { abortMs: 300 })).toMatchObject({ outcome: "stopped", delivered: 1 });
  expect(await exchange({ bytesPerSecond: 10 }, { abortMs: 3000 })).toMatchObject({ outcome: "stopped" });
});

test("an answer that is cancelled breaks off", async () => {
  const time = new VirtualTime();
  const device = new SimulatedMachine({
    time,
    chance: new SeededRandom("test"),
    disk: Disk.blank(),
    peer: () => ({ status: 200, body: BODY }),
  });
  let code = "";
  await time.until(
    device.boot(async ({ network }) => {
      const response = await network.request({ method: "GET", url: "http://server/", idleTimeoutMs: 1000 });
      response.cancel();
      await collectText(response.body, 1000).catch((error: SystemError) => {
        code = error.code;
      });
    }),
  );
  expect(code).toBe("ECONNRESET");
});
