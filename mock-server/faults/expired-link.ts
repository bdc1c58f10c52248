import { textAnswer } from "./effects/exchange.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";
import { STORED } from "./language/request-kinds.ts";

export const expiredLink = defineFault("exchange", {
  meaning: "The download link is refused, as when it has expired.",
  value: Yes,
  where: EVERYWHERE,
  requests: STORED,
  effect: () => ({
    answer: async () =>
      textAnswer(403, { "content-type": "application/json; charset=utf-8" }, '{"error":"the link has expired"}'),
  }),
});
