import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const duplicated = defineFault("exchange", {
  meaning: "The server gets the request twice; the answer to the first one is lost.",
  value: Yes,
  where: EVERYWHERE,
  effect: () => ({ duplicate: true }),
});
