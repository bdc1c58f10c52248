import { Chance } from "../../mock-server/scenarios/simulation/index.ts";
import { type Life, type LifeEnd, type LifeOptions, live } from "./life.ts";
import type { CampaignPath } from "./paths.ts";
import { survivors } from "./survivals.ts";
import { newWorld, prepare, type World } from "./world.ts";

/** Something that must not be, and how to see it again. */
export interface Violation {
  readonly path: string;
  /** Replays the run. */
  readonly seed: string;
  /** Where the power was cut, if it was cut once. */
  readonly place?: string;
  readonly what: readonly string[];
}

export interface Count {
  paths: number;
  /** Power cuts that were made, each followed by restarts until the device was at rest. */
  cuts: number;
  /** Calls on the door before and after which power was cut. */
  places: number;
  readonly violations: Violation[];
}

export interface ExhaustiveOptions extends Pick<LifeOptions, "wrapStore"> {
  /** Asked before each run; `true` stops. */
  readonly enough: () => boolean;
}

interface Cut {
  readonly place: string;
  readonly world: World;
}

/** The worlds that power cuts before and after every call of an undisturbed run leave. Always the same, in the same order. */
async function cutsOf(world: World, options: LifeOptions) {
  const cuts: Cut[] = [];
  let places = 0;
  let known = "";
  const cut = ({ machine, server, moduleCalls }: Life, place: () => string): void => {
    places++;
    // Nothing has changed since the last place: the same cut again.
    const state = `${machine.boots} ${machine.disk.version} ${server.version}`;
    if (state === known) return;
    known = state;
    const chance = new Chance(`${world.path.name} ${places}`);
    for (const [index, disk] of survivors(machine.disk, () => chance.fraction()).entries())
      cuts.push({
        place: `${place()}, survival ${index}`,
        world: { ...world, disk, server: server.clone(), wallMs: machine.wallMs, moduleCalls: [...moduleCalls] },
      });
  };
  const { violations } = await live(world, {
    ...options,
    observer: (life) => ({
      before: ({ number, name, subject }) =>
        cut(life, () => `boot ${life.machine.boots}, before call ${number} ${name} ${subject}`),
      after: ({ number, name, subject }) =>
        cut(life, () => `boot ${life.machine.boots}, after call ${number} ${name} ${subject}`),
    }),
  });
  return { cuts, places, violations };
}

/** Cut the power before and after every call of a path, in every way, and let the device come to rest each time. */
export async function exhaust(path: CampaignPath, count: Count, options: ExhaustiveOptions): Promise<void> {
  const { enough, ...store } = options;
  const { cuts, places, violations: uncut } = await cutsOf(newWorld(await prepare(path)), store);
  count.paths++;
  count.places += places;
  if (uncut.length > 0) count.violations.push({ path: path.name, seed: `${path.name}${CUT}none`, what: uncut });
  for (const [number, { place, world }] of cuts.entries()) {
    if (enough()) return;
    count.cuts++;
    const { violations } = await live(world, store);
    if (violations.length > 0)
      count.violations.push({ path: path.name, seed: `${path.name}${CUT}${number}`, place, what: violations });
  }
}

/** Between a path's name and the number of the cut, in the seed of an exhaustive run. */
const CUT = " #";

/** Run one cut of an exhaustive campaign again. @returns `undefined` if the seed is no such one. */
export async function replayCut(
  seed: string,
  paths: readonly CampaignPath[],
  options: LifeOptions,
): Promise<LifeEnd | undefined> {
  const [name, number] = seed.split(CUT);
  const path = paths.find((one) => one.name === name);
  if (path === undefined || number === undefined) return undefined;
  const world = newWorld(await prepare(path));
  if (number === "none") return await live(world, options);
  const { wrapStore } = options;
  const { cuts } = await cutsOf(world, wrapStore === undefined ? {} : { wrapStore });
  const cut = cuts[Number(number)];
  return cut === undefined ? undefined : await live(cut.world, options);
}
