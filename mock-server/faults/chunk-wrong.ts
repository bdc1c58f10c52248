import { oneBitChanged } from "./effects/objects.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const chunkWrong = defineFault("exchange", {
  meaning: "One of the chunks that an adaptive download asks for comes with other bytes, in an answer that looks well.",
  value: Yes,
  where: EVERYWHERE,
  requests: ["chunks"],
  effect: () => ({ answer: oneBitChanged }),
});
