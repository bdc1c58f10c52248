/**
 * Waits for pipelined statements: one round trip to PostgreSQL instead of one each.
 * @throws The error of the first statement that failed, once all have settled: none is left running.
 */
export async function pipelined<const T extends readonly unknown[]>(
  statements: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(statements);
  return await Promise.all(statements);
}
