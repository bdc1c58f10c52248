import { textAnswer } from "./effects/exchange.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";
import { ANSWERED_WITH_JSON } from "./language/request-kinds.ts";

/** Half of a JSON text. */
const MALFORMED = '{"id": "half of';

export const malformedAnswer = defineFault("exchange", {
  meaning: "The body of the answer is not JSON. An answer without a body (204) becomes a 200 with such a body.",
  value: Yes,
  where: EVERYWHERE,
  requests: ANSWERED_WITH_JSON,
  effect: () => ({
    answer: async (request, ask) => {
      const answer = await ask(request);
      if (answer === undefined) return undefined;
      answer.discard?.();
      const headers = { "content-type": "application/json; charset=utf-8", ...answer.headers };
      return textAnswer(answer.status === 204 ? 200 : answer.status, headers, MALFORMED);
    },
  }),
});
