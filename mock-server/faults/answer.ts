import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { isBodiless, textAnswer } from "./effects/exchange.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Duration } from "./language/quantities.ts";

const STATUS = { error: "an HTTP status from 200 to 599" };
const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };

export const answer = defineFault("exchange", {
  meaning:
    "The request does not reach the server: this is the answer. Without a body of its own it has a JSON text; a 401 has none, as the server's own.",
  value: z.strictObject({
    status: z.int(STATUS).min(200, STATUS).max(599, STATUS),
    retry_after: Duration.optional(),
    body: z.string().optional(),
    headers: z.optional(recordOf(z.string())),
  }),
  where: EVERYWHERE,
  differs: { real: "a Retry-After is shorter, as all times are, and at least one second" },
  effect: ({ status, retry_after, body, headers = {} }) => {
    // The reference client ends itself when a 401 has a body.
    const isEmpty = status === 401 || isBodiless(status);
    const text = body ?? (isEmpty ? "" : `{"error":"the server answers ${status} because it was told to"}`);
    const retryAfter = retry_after === undefined ? {} : { "retry-after": String(Math.ceil(retry_after / 1000)) };
    const given = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    const all = { ...(text === "" ? {} : JSON_TYPE), ...retryAfter, ...Object.fromEntries(given) };
    return { answer: async () => textAnswer(status, all, text) };
  },
});
