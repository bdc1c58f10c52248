import { once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Random, Timers } from "@upkeep/shared/system";
import { openInMemory } from "../../system/in-memory.ts";
import { bodyOf, type Carried, type CarriedRequest, carry, endToEnd } from "./carry.ts";
import { type ExchangeFault, effectsOf } from "./effects.ts";

/** Looks at every exchange with devices, and says what goes wrong with it. */
export interface ExchangeWatch<E> {
  /** Called with each request; `undefined`: it is nobody's business here. */
  isDevice(path: string): boolean;
  /** Called when all of the request has come. */
  begin(request: CarriedRequest): Promise<{
    readonly exchange: E;
    readonly faults: readonly ExchangeFault[];
    /** So much longer the server takes, in milliseconds. */
    readonly lateMs: number;
  }>;
  end(exchange: E, carried: Carried): Promise<void>;
  /** Something went wrong that was not meant to. */
  failed(error: unknown): void;
}

/** `listener` with something that looks at what devices ask, and interferes. Everybody else reaches it as it is. */
export function around<E>(
  listener: RequestListener,
  watch: ExchangeWatch<E>,
  door: { readonly timers: Timers; readonly random: Random },
): RequestListener {
  const memory = openInMemory(listener);
  const ask = async ({ method, url, headers, body }: CarriedRequest): Promise<IncomingMessage> => {
    const sent = memory.request({ method, path: url, headers });
    sent.end(body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    sent.on("error", watch.failed);
    return answer;
  };
  const exchange = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const carried = await readRequest(request);
    const { exchange, faults, lateMs } = await watch.begin(carried);
    const effects = effectsOf(faults, door.random, carried.headers.range);
    const late = { ...effects, lateMs: effects.lateMs + lateMs };
    await watch.end(exchange, await carry(carried, response, late, { ask, timers: door.timers }));
  };
  return (request, response) => {
    if (!watch.isDevice(request.url ?? "")) {
      listener(request, response);
      return;
    }
    exchange(request, response).catch((error: unknown) => {
      if (!request.destroyed) watch.failed(error);
      response.destroy();
    });
  };
}

/** All of a request, as it goes on. */
export async function readRequest(request: IncomingMessage): Promise<CarriedRequest> {
  const { method = "GET", url = "/" } = request;
  const body = await bodyOf(request);
  const headers = endToEnd(request.headers);
  // What was sent in pieces goes on in one.
  if (body.length > 0) headers["content-length"] = String(body.length);
  if ("encrypted" in request.socket) headers["x-forwarded-proto"] ??= "https";
  return { method, url, headers, body };
}
