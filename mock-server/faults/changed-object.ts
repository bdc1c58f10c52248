import { withObject } from "./effects/objects.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";
import { DOWNLOADS } from "./language/request-kinds.ts";

/** From a quarter of the object on, one byte in each step is changed: the header is good, the payload is not. */
const STEP = 4096;

export const changedObject = defineFault("exchange", {
  meaning: "What is behind the download link is another object than before, of the same size.",
  value: Yes,
  where: EVERYWHERE,
  requests: DOWNLOADS,
  effect: () => ({ answer: withObject({ sizeBytes: (sizeBytes) => sizeBytes, bytes: other }) }),
});

function other(chunk: Uint8Array, offset: number, sizeBytes: number): Uint8Array {
  const changed = Uint8Array.from(chunk);
  const first = Math.floor(sizeBytes / 4);
  const skipped = offset <= first ? first - offset : (STEP - ((offset - first) % STEP)) % STEP;
  for (let at = skipped; at < changed.length; at += STEP) changed[at] = (changed[at] ?? 0) ^ 0xff;
  return changed;
}
