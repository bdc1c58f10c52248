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

/** The result of `promise`, unless the signal is aborted first. Removes its listener from the signal. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
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
