import { oneBitChanged } from "./effects/objects.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const indexWrong = defineFault("exchange", {
  meaning: "The index of the artifact, for an adaptive download, is not the one that the server has made.",
  value: Yes,
  where: EVERYWHERE,
  requests: ["index"],
  effect: () => ({ answer: oneBitChanged }),
});
