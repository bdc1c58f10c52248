import {
  afterPowerCut,
  type Disk,
  EVERY_WRITE_TORN,
  EVERY_WRITE_ZEROS,
  EVERYTHING_KEPT,
  EVERYTHING_LOST,
  NAMES_LOST,
  type Survival,
  survivalByChance,
  unsyncedChanges,
  WRITES_LOST,
} from "../../mock-server/scenarios/simulation/index.ts";

/** Up to so many ways in which one instant's unsynced changes survive, all are tried. */
const COMBINATIONS_MAX = 27;

const NAMED: readonly Survival[] = [
  EVERYTHING_LOST,
  EVERYTHING_KEPT,
  EVERY_WRITE_TORN,
  EVERY_WRITE_ZEROS,
  NAMES_LOST,
  WRITES_LOST,
];

/** For each unsynced change in the order in which a survival is asked: how many fates it can have. */
function fatesOf(disk: Disk): number[] {
  const fates: number[] = [];
  const count = (choices: number) => (): boolean => {
    fates.push(choices);
    return true;
  };
  afterPowerCut(disk, {
    name: count(2),
    mode: count(2),
    write: (change) => {
      fates.push(change.kind === "write" && change.data.length > 1 ? 3 : 2);
      return "kept";
    },
  });
  return fates;
}

/** The `number`th combination of fates. */
function combination(fates: readonly number[], number: number): Survival {
  let left = number;
  let asked = 0;
  const next = (): number => {
    const choices = fates[asked++] ?? 2;
    const choice = left % choices;
    left = Math.floor(left / choices);
    return choice;
  };
  return {
    name: () => next() !== 0,
    mode: () => next() !== 0,
    write: (change) => {
      const choice = next();
      if (choice === 0) return "lost";
      return choice === 1 || change.kind !== "write" ? "kept" : { keptBytes: change.data.length >> 1, zeros: false };
    },
  };
}

/**
 * The disks that a power cut at this instant can leave: every combination of lost, kept and torn where there
 * are few unsynced changes; where there are many, the extremes and some by chance.
 */
export function survivors(disk: Disk, fraction: () => number): Disk[] {
  if (unsyncedChanges(disk) === 0) return [afterPowerCut(disk, EVERYTHING_LOST)];
  const fates = fatesOf(disk);
  const combinations = fates.reduce((product, choices) => product * choices, 1);
  if (combinations <= COMBINATIONS_MAX)
    return Array.from({ length: combinations }, (_, number) => afterPowerCut(disk, combination(fates, number)));
  const some = [...NAMED, survivalByChance(fraction), survivalByChance(fraction)];
  return some.map((survival) => afterPowerCut(disk, survival));
}
