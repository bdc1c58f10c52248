/**
 * The results of what has been begun.
 * @throws The first error, once all have settled: none is left running.
 */
export async function settled<const T extends readonly unknown[]>(
  begun: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(begun);
  return await Promise.all(begun);
}
