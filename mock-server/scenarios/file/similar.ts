/** The Levenshtein distance. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      current.push(Math.min((above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (above[column - 1] ?? 0) + same));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}

/** The name in `known` that is most similar to `word`; `undefined` if none is similar. */
export function similar(word: string, known: readonly string[]): string | undefined {
  const nearest = known
    .map((one) => ({ one, far: distance(word.toLowerCase().replaceAll("-", "_"), one.toLowerCase()) }))
    .sort((a, b) => a.far - b.far)[0];
  const farMax = word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3));
  return nearest !== undefined && nearest.far <= farMax ? nearest.one : undefined;
}

/** ` (did you mean X?)`, or nothing. */
export function suggestion(word: string, known: readonly string[]): string {
  const meant = similar(word, known);
  return meant === undefined ? "" : ` (did you mean ${meant}?)`;
}
