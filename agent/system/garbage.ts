import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** So much content is received between two collections. */
const STEP_BYTES = 1024 * 1024;

type Collect = (options: { readonly type: "minor" }) => void;

let collect: Collect | undefined;
let receivedBytes = 0;

/**
 * V8's function that collects young objects. The flag is taken back: V8 uses Node's cache of compiled code only under the
 * flags that it was made with.
 */
function collector(): Collect {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as Collect;
  setFlagsFromString("--no-expose-gc");
  return gc;
}

/**
 * To be told of each piece of content that came from the network. Pieces lie outside of V8's heap, and V8 lets 32 MiB of
 * them wait to be collected. Collecting them takes a millisecond.
 */
export function contentReceived(bytes: number): void {
  receivedBytes += bytes;
  if (receivedBytes < STEP_BYTES) return;
  receivedBytes = 0;
  collect ??= collector();
  collect({ type: "minor" });
}
