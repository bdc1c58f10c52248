/** Helpers for streams of bytes into a module or a file. */

/** `source`, failing with the signal's reason as soon as that is aborted, also while it waits for data. */
export async function* interruptible<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const result = await orAborted(iterator.next(), signal);
      if (result.done) {
        ended = true;
        return;
      }
      yield result.value;
    }
  } finally {
    // Not awaited: a source that waits for data settles only when its opener closes it.
    if (!ended) iterator.return?.().then(undefined, () => undefined);
  }
}

/**
 * The waits that an abort of a signal ends. One listener serves all waits of a signal: to add and to remove one takes
 * longer than to hand over a small file.
 */
const waits = new WeakMap<AbortSignal, Set<(reason: unknown) => void>>();

function waitsOf(signal: AbortSignal): Set<(reason: unknown) => void> {
  const known = waits.get(signal);
  if (known !== undefined) return known;
  const all = new Set<(reason: unknown) => void>();
  waits.set(signal, all);
  signal.addEventListener(
    "abort",
    () => {
      for (const end of all) end(signal.reason);
      all.clear();
    },
    { once: true },
  );
  return all;
}

/** The result of `promise`, unless the signal is aborted first. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    const all = waitsOf(signal);
    all.add(reject);
    promise.then(
      (value) => {
        all.delete(reject);
        resolve(value);
      },
      (error: unknown) => {
        all.delete(reject);
        reject(error);
      },
    );
  });
}

/** Write all of `source`: the next chunk is produced while one is being written. */
export async function pump(
  source: AsyncIterable<Uint8Array>,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  for await (const chunk of source) {
    await writing;
    writing = write(chunk);
    // Awaited a chunk later; until then a rejection must not count as unhandled.
    writing.then(undefined, () => undefined);
  }
  await writing;
}
