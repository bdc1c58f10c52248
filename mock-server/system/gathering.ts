/**
 * Gathers what comes in one turn of the event loop.
 * @param take Gets all of it, in the order in which it came, once nothing more is there to be read.
 */
export function perTurn<T>(take: (all: readonly T[]) => void): (one: T) => void {
  let gathered: T[] = [];
  const flush = (): void => {
    const all = gathered;
    gathered = [];
    take(all);
  };
  return (one) => {
    if (gathered.length === 0) setImmediate(flush);
    gathered.push(one);
  };
}
