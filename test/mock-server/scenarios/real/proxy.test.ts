import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Timer, Timers } from "@upkeep/shared/system";
import { sleepWith } from "@upkeep/shared/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Exchanges } from "../../../../mock-server/scenarios/real/exchanges.ts";
import { DeviceProxy, type ProxyPort } from "../../../../mock-server/scenarios/real/proxy.ts";
import { openSystem } from "../../../../mock-server/system/index.ts";

const DOWNLOAD = "/api/devices/v1/deployments/download/an-artifact";
const SIZE_BYTES = 4 * 1024 * 1024;
/** A rate at which the body takes four seconds of the scenario. */
const BYTES_PER_SECOND = 1024 * 1024;

/** Ends when all exchanges have ended. */
class WatchedExchanges extends Exchanges {
  #ended: () => void = () => undefined;
  readonly ended = new Promise<void>((resolve) => {
    this.#ended = resolve;
  });

  override begin(kind: Parameters<Exchanges["begin"]>[0]): ReturnType<Exchanges["begin"]> {
    const exchange = super.begin(kind);
    return {
      ...exchange,
      end: () => {
        exchange.end();
        this.#ended();
      },
    };
  }
}

/** The scenario's time: each wait is reported, and passes when it is told to. */
class Waits implements Timers {
  readonly #waits: { readonly delayMs: number; readonly action: () => void }[] = [];
  #arrived: () => void = () => undefined;

  after(delayMs: number, action: () => void): Timer {
    this.#waits.push({ delayMs, action });
    this.#arrived();
    return { cancel: () => undefined };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, delayMs, signal);
  }

  /** Lets the next wait pass. @returns Its milliseconds. */
  async pass(): Promise<number> {
    while (this.#waits.length === 0)
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    const wait = this.#waits.shift();
    wait?.action();
    return wait?.delayMs ?? Number.NaN;
  }

  /** Resolves when something waits. */
  async some(): Promise<void> {
    while (this.#waits.length === 0)
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
  }
}

let server: Server;
let proxy: DeviceProxy;
let waits: Waits;
let exchanges: WatchedExchanges;
/** What the world is told, in order. */
let told: string[];
let sentBytes: number;

beforeEach(async () => {
  told = [];
  sentBytes = 0;
  waits = new Waits();
  exchanges = new WatchedExchanges();
  server = createServer((_, response) => {
    response.writeHead(200, { "content-length": SIZE_BYTES }).end(Buffer.alloc(SIZE_BYTES));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port: ProxyPort = {
    system: openSystem(),
    server: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    timers: waits,
    pieceMs: () => 1000,
    bytesPerSecond: BYTES_PER_SECOND,
    exchanges,
    turn: async () => undefined,
    strikes: () => [],
    certificate: () => ({}),
    artifactWith: async () => undefined,
    killServer: async () => undefined,
    answered: async (kind, { outcome }) => void told.push(`${kind} answered ${outcome.status}`),
    failed: (kind, fault) => void told.push(`${kind} failed: ${fault}`),
    sent: (bytes) => {
      sentBytes += bytes;
    },
    broken: (error) => void told.push(String(error)),
  };
  proxy = await DeviceProxy.start(port);
});

afterEach(async () => {
  await proxy.close();
  server.closeAllConnections();
  server.close();
});

async function download(): Promise<IncomingMessage> {
  const sent = request({ port: proxy.port, host: "127.0.0.1", path: DOWNLOAD });
  sent.on("error", () => undefined).end();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  return answer;
}

test("an answer that the device breaks off is one exchange", async () => {
  const answer = await download();
  answer.on("error", () => undefined).destroy();
  await exchanges.ended;
  expect(told).toEqual(["download answered 200"]);
});

test("a device that breaks off before time moves gets no byte of the body, however late it does so", async () => {
  const answer = await download();
  await waits.some();
  expect(sentBytes).toBe(0);
  answer.on("error", () => undefined).destroy();
  await exchanges.ended;
  expect(sentBytes).toBe(0);
});

test("each piece of a body comes when its time has passed, and no time passes for more than the body", async () => {
  const answer = (await download()).resume();
  const passed: number[] = [];
  for (let piece = 0; piece < 4; piece++) passed.push(await waits.pass());
  await once(answer, "end");
  await exchanges.ended;
  expect([passed, sentBytes]).toEqual([[1000, 1000, 1000, 1000], SIZE_BYTES]);
});
