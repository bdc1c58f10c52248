import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Size } from "./language/quantities.ts";

export const truncatedAnswer = defineFault("exchange", {
  meaning: "The connection ends after this many bytes of the answer's body.",
  value: Size,
  where: EVERYWHERE,
  effect: (cutBodyAt) => ({ cutBodyAt }),
});
