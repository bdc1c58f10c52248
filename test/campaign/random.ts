import { SystemError } from "@upkeep/shared/system";
import type { ExchangeEffect } from "../../mock-server/faults/effects/exchange.ts";
import {
  type CallObserver,
  type DoorCall,
  survivalByChance,
  type Trace,
  type Weather,
} from "../../mock-server/scenarios/simulation/index.ts";
import { SeededRandom } from "../../mock-server/system/seeded-random.ts";
import type { Count } from "./exhaustive.ts";
import { type Life, type LifeOptions, live } from "./life.ts";
import type { CampaignPath } from "./paths.ts";
import { newWorld, type Prepared, prepare } from "./world.ts";

/**
 * How the power goes: now and then, in bursts, or so often that hardly a boot gets anywhere, for a while or for
 * long. `gaps`: the most calls on the door between two cuts; each call has a moment before and one after it.
 */
const OUTAGES = [
  { cutsMax: 4, gaps: [100, 250] },
  { cutsMax: 16, gaps: [10, 40, 100, 250] },
  { cutsMax: 48, gaps: [10, 20, 40] },
  { cutsMax: 200, gaps: [10, 20, 40] },
] as const;

function disturbance(chance: SeededRandom): ExchangeEffect | undefined {
  switch (chance.integer(8)) {
    case 0:
      return { connectError: chance.oneOf(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "CERT_NOT_YET_VALID"]) };
    case 1:
      return { loseRequest: chance.oneOf(["reset", "silence"]) };
    case 2:
      return { loseAnswer: chance.oneOf(["reset", "silence"]) };
    case 3:
      return { duplicate: true };
    case 4:
      return { requestDelayMs: chance.integer(400_000) };
    case 5:
      return { answerDelayMs: chance.integer(400_000) };
    case 6:
      return { cutBodyAt: chance.integer(9000), cutBodyBy: chance.oneOf(["reset", "silence"]) };
    default:
      return { bytesPerSecond: 1 + chance.integer(2000) };
  }
}

/** Everything at once, decided by the seed: where power goes and what it leaves, the network, how long calls take. */
function chaos(chance: SeededRandom, count: Pick<Count, "cuts">) {
  const storm = chance.happens(0.4) ? chance.fraction() / 2 : 0;
  const weatherChance = chance.fork("weather");
  const weather: Weather = () => (weatherChance.happens(storm) ? disturbance(weatherChance) : undefined);
  const { cutsMax, gaps } = chance.oneOf(OUTAGES);
  let cutsLeft = 1 + chance.integer(cutsMax);
  const gap = (): number => 1 + chance.integer(2 * chance.oneOf<number>(gaps));
  let callsLeft = gap();
  // First things go wrong, then they do not any more, and the device must come to rest.
  let badCallsLeft = chance.integer(1000);
  const bad = chance.happens(0.2) ? chance.fraction() / 50 : 0;
  const faultChance = chance.fork("faults");
  const slow = chance.happens(0.05) ? chance.fork("latency") : undefined;
  const observer = ({ machine }: Life): CallObserver => {
    const strike = (): void => {
      if (--callsLeft !== 0 || cutsLeft === 0) return;
      cutsLeft--;
      callsLeft = gap();
      if (chance.happens(0.1)) machine.killProgram();
      else {
        count.cuts++;
        machine.cutPower(survivalByChance(() => chance.fraction()));
      }
    };
    const fault = (call: DoorCall): SystemError | undefined =>
      call.process === "main" && call.name.startsWith("file") && --badCallsLeft > 0 && faultChance.happens(bad)
        ? new SystemError(faultChance.oneOf(["EIO", "ENOSPC"]), `the disk fails in ${call.name} ${call.subject}`)
        : undefined;
    return {
      before: strike,
      after: strike,
      ...(bad > 0 && { fault }),
      ...(slow && { latencyMs: () => slow.integer(20) }),
    };
  };
  return { weather: () => weather, observer, diskFails: bad > 0 };
}

export interface RandomOptions extends Pick<LifeOptions, "wrapStore" | "logger"> {
  readonly trace?: Trace;
}

/** Runs that one seed each decides. */
export class RandomRuns {
  readonly #paths: readonly CampaignPath[];
  readonly #prepared = new Map<CampaignPath, Prepared>();

  constructor(paths: readonly CampaignPath[]) {
    this.#paths = paths;
  }

  async run(seed: string, count: Count, options: RandomOptions = {}): Promise<void> {
    const chance = new SeededRandom(seed);
    const path = chance.oneOf(this.#paths);
    let prepared = this.#prepared.get(path);
    if (prepared === undefined) {
      prepared = await prepare(path);
      this.#prepared.set(path, prepared);
    }
    const { violations } = await live(newWorld(prepared), { ...options, ...chaos(chance.fork("chaos"), count), seed });
    if (violations.length > 0) count.violations.push({ path: path.name, seed, what: violations });
  }
}
