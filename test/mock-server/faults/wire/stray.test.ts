import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { sleepWith, type Timers } from "@upkeep/shared/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Carried, carry } from "../../../../mock-server/faults/wire/carry.ts";
import { type CarriedRequest, readRequest } from "../../../../mock-server/faults/wire/messages.ts";

/** Time that passes when it is told to. */
class HeldTimers implements Timers {
  readonly #actions = new Set<() => void>();

  get waiting(): number {
    return this.#actions.size;
  }

  after(_delayMs: number, action: () => void): { cancel(): void } {
    this.#actions.add(action);
    return { cancel: () => void this.#actions.delete(action) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, delayMs, signal);
  }

  pass(): void {
    for (const action of this.#actions) action();
    this.#actions.clear();
  }
}

const timers = new HeldTimers();
const closing = new AbortController();
const arrived: CarriedRequest[] = [];
let server: Server;
let begun: (carried: Promise<Carried>) => void;

beforeEach(async () => {
  arrived.length = 0;
  server = createServer(async (incoming, response) => {
    const ask = async (asked: CarriedRequest) => {
      arrived.push(asked);
      return { status: 200, headers: {}, body: "late", stop: () => undefined };
    };
    const asked = await readRequest(incoming);
    begun(carry(asked, response, { strayMs: 30_000 }, { ask, timers, closing: closing.signal }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(() => {
  server.close();
});

/** A device that sends a report and hangs up. @returns What becomes of the report. */
async function reportAndHangUp(): Promise<{ readonly carried: Promise<Carried> }> {
  const { port } = server.address() as AddressInfo;
  const sent = request({ port, host: "127.0.0.1", method: "PUT", path: "/status" });
  sent.on("error", () => undefined);
  const beginning = new Promise<{ carried: Promise<Carried> }>((resolve) => {
    begun = (carried) => resolve({ carried });
  });
  sent.end('{"status":"downloading"}');
  const onTheWay = await beginning;
  const closed = new Promise((resolve) => sent.once("close", resolve));
  sent.destroy();
  await closed;
  return onTheWay;
}

test("a request that wanders about arrives after its sender has hung up", async () => {
  const { carried } = await reportAndHangUp();
  expect(arrived).toHaveLength(0);
  timers.pass();
  expect(await carried).toEqual({ status: undefined, body: undefined, bytes: 0 });
  expect(arrived.map(({ body }) => body.toString())).toEqual(['{"status":"downloading"}']);
});

test("what still wanders about when the way is closed never arrives", async () => {
  const { carried } = await reportAndHangUp();
  closing.abort(new Error("closed"));
  expect(await carried).toEqual({ status: undefined, body: undefined, bytes: 0 });
  expect(timers.waiting).toBe(0);
  expect(arrived).toHaveLength(0);
});
