/** Waits for one turn of the event loop, so that everything else that is ready runs first. */
export type Turn = () => Promise<void>;

/** Bytes that are decoded within one turn of the event loop: milliseconds of work at worst. */
export const TURN_BYTES = 16 * 1024;

let last = Promise.resolve();

/** A turn of the event loop. All streams share one queue: of several active streams, one takes a step per turn. */
export const nextTurn: Turn = () => {
  last = last.then(
    () =>
      new Promise((resolve) => {
        // biome-ignore lint/style/noRestrictedGlobals: no time passes; a simulation gives a turn of its own
        setImmediate(resolve);
      }),
  );
  return last;
};

/** The source in pieces of at most {@link TURN_BYTES}, with a turn between two pieces of one chunk. */
export async function* inTurns(source: AsyncIterable<Uint8Array>, turn: Turn): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    for (let offset = 0; offset < chunk.length; offset += TURN_BYTES) {
      if (offset > 0) await turn();
      yield chunk.subarray(offset, offset + TURN_BYTES);
    }
  }
}

/** The source in pieces of exactly {@link TURN_BYTES}, except for the last piece. */
export async function* gathered(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let buffer = new Uint8Array(TURN_BYTES);
  let filled = 0;
  for await (const piece of source) {
    for (let offset = 0; offset < piece.length; ) {
      const taken = piece.subarray(offset, offset + buffer.length - filled);
      buffer.set(taken, filled);
      filled += taken.length;
      offset += taken.length;
      if (filled < buffer.length) continue;
      yield buffer;
      buffer = new Uint8Array(TURN_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
