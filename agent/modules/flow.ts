/** Streams of bytes on their way into a module or a file. */

/** `source`, that fails with the signal's reason at once when it is aborted, also in the middle of a wait. */
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

/** What `promise` resolves to, unless the signal is aborted first. Leaves nothing behind on the signal. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Write all of `source`; while one chunk is being written, the next one is made. */
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
