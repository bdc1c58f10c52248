/**
 * Collects the items of one event-loop turn into a batch.
 * @param take Gets the batch, in the order of its items, at the end of the turn.
 */
export function batchPerTick<T>(take: (batch: readonly T[]) => void): (item: T) => void {
  let batch: T[] = [];
  const flush = (): void => {
    const full = batch;
    batch = [];
    take(full);
  };
  return (item) => {
    if (batch.length === 0) setImmediate(flush);
    batch.push(item);
  };
}
