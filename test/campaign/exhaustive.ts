import {
  afterPowerCut,
  type CallObserver,
  type DoorCall,
  fingerprint,
  UNDECIDED,
} from "../../mock-server/scenarios/simulation/index.ts";
import { type Life, type LifeEnd, type LifeOptions, live } from "./life.ts";
import type { CampaignPath } from "./paths.ts";
import { EveryCombination, OneFateForAll, type Ways } from "./survivals.ts";
import { newWorld, prepare, type World } from "./world.ts";

/** Something that must not be, and how to see it again. */
export interface Violation {
  readonly path: string;
  /** Replays the run. */
  readonly seed: string;
  /** Where the power was cut, if it was cut in known places. */
  readonly places?: readonly string[];
  readonly what: readonly string[];
}

export interface Count {
  paths: number;
  /** Power cuts that were made, each followed by restarts until the device was at rest. */
  cuts: number;
  /** Of these, the ones that came while a device recovered from another one. */
  secondCuts: number;
  /** Instants before and after calls on the door. */
  instants: number;
  /** Different worlds that a cut at one of these instants leaves, before it is decided what survives. */
  worlds: number;
  readonly violations: Violation[];
}

export function newCount(): Count {
  return { paths: 0, cuts: 0, secondCuts: 0, instants: 0, worlds: 0, violations: [] };
}

export interface ExhaustiveOptions extends Pick<LifeOptions, "wrapStore"> {
  /** Asked before each run; `true` stops. */
  readonly enough: () => boolean;
  /** Power cuts one after the other: 1, or 2 to cut every recovery of a first cut again. */
  readonly depth: 1 | 2;
  /** All changes that a cut decides have the same fate. */
  readonly oneFate?: boolean;
}

/** One power cut of a line of them. */
interface Cut {
  /** Which instant of the life before, from 0. */
  readonly instant: number;
  /** For a person. */
  readonly place: string;
  readonly world: World;
}

type AtInstant = (instant: number, place: () => string, life: Life) => void;

/** Tells of every instant before and after a call on the door. */
function watching(tell: AtInstant): (life: Life) => CallObserver {
  return (life) => {
    let instants = 0;
    const at = (when: string) => (call: DoorCall) => {
      const { number, name, subject } = call;
      tell(instants++, () => `boot ${life.machine.boots}, ${when} call ${number} ${name} ${subject}`, life);
    };
    return { before: at("before"), after: at("after") };
  };
}

/**
 * Changes when a cut now could leave another world than a moment ago. Reading an undecided change does not change it: the
 * world before the read contains both answers, and was cut.
 */
function momentOf({ machine, server, person, moduleCalls }: Life): string {
  return `${person.identity} ${machine.boots} ${machine.disk.version} ${machine.wallMs} ${server.version} ${moduleCalls.length}`;
}

/** The world that a power cut now leaves, with nothing decided yet of what survives. */
function worldAfterCut(world: World, { machine, server, person, moduleCalls }: Life): World {
  return {
    ...world,
    disk: afterPowerCut(machine.disk, UNDECIDED),
    server: server.clone(),
    person: person.clone(),
    wallMs: machine.wallMs,
    moduleCalls: [...moduleCalls],
  };
}

/**
 * Everything on which the life of a world depends. The simulation is deterministic: equal identities, equal
 * lives, call by call.
 */
function identityOf({ disk, server, person, wallMs, moduleCalls }: World): string {
  return `${fingerprint(disk)} ${server.identity} ${person.identity} ${wallMs} ${moduleCalls.join()}`;
}

/** All cuts of one path. */
class Exhaustion {
  readonly #path: CampaignPath;
  readonly #count: Count;
  readonly #options: ExhaustiveOptions;
  /** For each world that was met: how many more cuts in a row it was given. */
  readonly #met = new Map<string, number>();
  readonly #knownBoots = new Set<string>();

  constructor(path: CampaignPath, count: Count, options: ExhaustiveOptions) {
    this.#path = path;
    this.#count = count;
    this.#options = options;
  }

  /** @param line The cuts that led here. */
  async livesOf(world: World, line: readonly Cut[], answers: readonly string[]): Promise<void> {
    const { wrapStore, depth, enough } = this.#options;
    const every: Ways = this.#options.oneFate ? new OneFateForAll() : new EveryCombination();
    const watched = line.length < depth;
    const boots = { identities: this.#knownBoots, skip: !watched };
    do {
      if (enough()) return;
      const cuts: Cut[] = [];
      let moment = "";
      const observer = watching((instant, place, life) => {
        // What comes before the first other answer was cut in the life before this one.
        if (!every.differs) return;
        this.#count.instants++;
        const before = moment;
        moment = momentOf(life);
        if (moment !== before) this.#cut(cuts, depth - line.length, instant, place, worldAfterCut(world, life));
      });
      const { violations } = await live(
        { ...world, disk: line.length === 0 ? world.disk : afterPowerCut(world.disk, every) },
        { boots, ...(watched && { observer }), ...(wrapStore && { wrapStore }) },
      );
      if (line.length > 0) this.#count.cuts++;
      if (line.length > 1) this.#count.secondCuts++;
      const branch = [...answers, every.branch.join("")];
      if (violations.length > 0) this.#violated(line, branch, violations);
      for (const cut of cuts) await this.livesOf(cut.world, [...line, cut], branch);
    } while (every.next());
  }

  #cut(cuts: Cut[], left: number, instant: number, place: () => string, world: World): void {
    const identity = identityOf(world);
    if ((this.#met.get(identity) ?? 0) >= left) return;
    this.#met.set(identity, left);
    this.#count.worlds++;
    cuts.push({ instant, place: place(), world });
  }

  #violated(line: readonly Cut[], answers: readonly string[], what: readonly string[]): void {
    const steps = line.map(({ instant }, index) => `${CUT}${instant}:${answers[index + 1] ?? ""}`);
    this.#count.violations.push({
      path: this.#path.name,
      seed: `${this.#path.name}${steps.join("") || CUT}`,
      places: line.map(({ place }) => place),
      what,
    });
  }
}

/**
 * Cut the power before and after every call of a path, in every way, and let the device come to rest each time;
 * with depth 2 cut each of these recoveries in the same manner.
 */
export async function exhaust(path: CampaignPath, count: Count, options: ExhaustiveOptions): Promise<void> {
  await new Exhaustion(path, count, options).livesOf(newWorld(await prepare(path)), [], []);
  if (!options.enough()) count.paths++;
}

/** Between a path's name and the cuts, in the seed of an exhaustive run. */
const CUT = " #";

/** Run one line of cuts of an exhaustive campaign again. @returns `undefined` if the seed is no such one. */
export async function replayCut(
  seed: string,
  paths: readonly CampaignPath[],
  options: LifeOptions,
): Promise<LifeEnd | undefined> {
  const [name, ...steps] = seed.split(CUT);
  const path = paths.find((one) => one.name === name);
  if (path === undefined || steps.length === 0) return undefined;
  const { wrapStore } = options;
  let world = newWorld(await prepare(path));
  let survival: EveryCombination | undefined;
  for (const step of steps.filter((one) => one !== "")) {
    const [instant, branch = ""] = step.split(":");
    let cut: World | undefined;
    const observer = watching((at, _place, life) => {
      if (at === Number(instant)) cut = worldAfterCut(world, life);
    });
    await live(settled(world, survival), { observer, ...(wrapStore && { wrapStore }) });
    if (cut === undefined) return undefined;
    world = cut;
    survival = new EveryCombination();
    survival.follow([...branch].map(Number));
  }
  return await live(settled(world, survival), options);
}

function settled(world: World, survival: EveryCombination | undefined): World {
  return survival === undefined ? world : { ...world, disk: afterPowerCut(world.disk, survival) };
}
