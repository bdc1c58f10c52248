/**
 * What several things come to that were begun together: statements that need not wait for each other's answers are
 * one way to a database in another process and back, in the order in which they stand.
 * @throws The error of the first that failed, once all have ended: nothing goes on that nobody waits for.
 */
export async function together<const T extends readonly unknown[]>(
  begun: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(begun);
  return await Promise.all(begun);
}
