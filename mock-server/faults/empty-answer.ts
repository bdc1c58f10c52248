import { textAnswer } from "./effects/exchange.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";
import { ANSWERED_WITH_JSON } from "./language/request-kinds.ts";

export const emptyAnswer = defineFault("exchange", {
  meaning: "The body of the answer is empty; its status stays.",
  value: Yes,
  where: EVERYWHERE,
  requests: ANSWERED_WITH_JSON,
  effect: () => ({
    answer: async (request, ask) => {
      const answer = await ask(request);
      if (answer === undefined) return undefined;
      answer.discard?.();
      return textAnswer(answer.status, answer.headers ?? {}, "");
    },
  }),
});
