import type { Random } from "@upkeep/shared/system";

/** Each device draws a value from this range, both ends included. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

export function drawn({ least, most }: Range, random: Pick<Random, "fraction">): number {
  return least + (most - least) * random.fraction();
}

/** Names with their shares of the fleet. Not empty, and no share is negative. */
export type Weights = ReadonlyMap<string, number>;

export function drawnName(weights: Weights, random: Pick<Random, "fraction">): string {
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  let left = random.fraction() * total;
  let last = "";
  for (const [name, weight] of weights) {
    last = name;
    left -= weight;
    if (left < 0) break;
  }
  return last;
}
