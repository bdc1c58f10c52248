import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";
import { STORED } from "./language/request-kinds.ts";

export const rangeIgnored = defineFault("exchange", {
  meaning: "A request for a part is answered with the whole object, as by a server or proxy that knows no ranges.",
  value: Yes,
  where: EVERYWHERE,
  requests: STORED,
  effect: () => ({
    answer: (request, ask) => {
      const { range: _, "if-range": __, ...headers } = request.headers ?? {};
      return ask({ ...request, headers });
    },
  }),
});
