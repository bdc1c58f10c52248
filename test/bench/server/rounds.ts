/** What was measured, round after round. */
export type Rounds = readonly number[];

export interface Comparison {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Measure all of it once a round. */
export async function inRounds<Name extends string>(
  rounds: number,
  measure: (round: number) => Promise<Readonly<Record<Name, number>>>,
): Promise<Record<Name, Rounds>> {
  const measured: Readonly<Record<Name, number>>[] = [];
  for (let round = 0; round < rounds; round += 1) measured.push(await measure(round));
  const names = Object.keys(measured[0] ?? {}) as Name[];
  const rows = names.map((name) => [name, measured.map((all) => all[name])] as const);
  return Object.fromEntries<Rounds>(rows) as Record<Name, Rounds>;
}

/**
 * Measure what is to be compared in turn, once a round, and in the opposite order in every other round: a machine is
 * faster at one time than at another, by more than what is to be found out.
 */
export async function inTurn<Name extends string>(
  rounds: number,
  measures: Readonly<Record<Name, () => Promise<number> | number>>,
): Promise<Record<Name, Rounds>> {
  const names = Object.keys(measures) as Name[];
  return await inRounds(rounds, async (round) => {
    const measured: Partial<Record<Name, number>> = {};
    for (const name of round % 2 === 0 ? names : names.toReversed()) measured[name] = await measures[name]();
    return measured as Record<Name, number>;
  });
}

export function median(values: Rounds): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** How many times `other` each is: within each round, in which both had the same machine. */
export function compare(one: Rounds, other: Rounds): Comparison {
  const ratios = one.map((value, round) => value / (other[round] ?? Number.NaN));
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}
