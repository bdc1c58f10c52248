import { once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Timers } from "@upkeep/shared/system";
import { openInMemory } from "../../system/in-memory.ts";
import type { ExchangeEffect } from "../effects/exchange.ts";
import { type Carried, carry } from "./carry.ts";
import { type CarriedAnswer, type CarriedRequest, readAnswer, readRequest } from "./messages.ts";

/** Watches the exchanges with devices, and says what faults do to them. */
export interface ExchangeWatch<E> {
  /** False: requests with this path pass as they are. */
  isDevice(path: string): boolean;
  /** Called when the whole request has come. */
  begin(request: CarriedRequest): Promise<{ readonly exchange: E; readonly effect: ExchangeEffect }>;
  end(exchange: E, carried: Carried): Promise<void>;
  /** Called with an error that is not the effect of a fault. */
  failed(error: unknown): void;
}

/** Wraps `listener`: requests of devices are watched and disturbed, all others pass. */
export function around<E>(listener: RequestListener, watch: ExchangeWatch<E>, timers: Timers): RequestListener {
  const memory = openInMemory(listener);
  const ask = async ({ method, url, headers, body, cameOver }: CarriedRequest): Promise<CarriedAnswer> => {
    const sent = memory.request({ method, path: url, headers }, cameOver);
    sent.end(body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    sent.on("error", watch.failed);
    return readAnswer(answer);
  };
  const exchange = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await readRequest(incoming);
    const { exchange, effect } = await watch.begin(request);
    await watch.end(exchange, await carry(request, response, effect, { ask, timers }));
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
