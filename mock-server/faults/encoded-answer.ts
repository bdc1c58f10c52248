import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import * as z from "zod";
import { bodyOf, isBodiless } from "./effects/exchange.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";

const ENCODERS = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync } as const;
const NAMES = Object.keys(ENCODERS) as (keyof typeof ENCODERS)[];

export const encodedAnswer = defineFault("exchange", {
  meaning: "The body of the answer comes in this content encoding, although the device asks for none.",
  value: z.enum(NAMES, { error: `one of ${NAMES.join(", ")}` }),
  where: EVERYWHERE,
  effect: (encoding) => ({
    answer: async (request, ask) => {
      const answer = await ask(request);
      if (answer === undefined || isBodiless(answer.status)) return answer;
      // Of a part of an object, a proxy encodes the part: its place in the object stays what it was.
      const body = ENCODERS[encoding](await bodyOf(answer));
      const headers = { ...answer.headers, "content-encoding": encoding, "content-length": String(body.length) };
      return { status: answer.status, headers, body };
    },
  }),
});
