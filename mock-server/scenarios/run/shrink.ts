import { type Document, isMap, isSeq, parseDocument } from "yaml";
import { parseScenario, type Scenario, ScenarioFileError } from "../file/index.ts";
import type { WorldOptions } from "../world/world.ts";
import { runSimulated } from "./run.ts";

/** A part of the file that may be left out: how to do it. */
type Cut = (document: Document) => boolean;

/** Lists whose entries may be left out. Expectations stay: they are what fails. */
const LISTS = ["faults", "timeline", "deployments", "fleet"] as const;
/** The most runs of one search. */
const TRIES_MAX = 500;

export interface Shrunk {
  /** A scenario file. */
  readonly text: string;
  readonly tries: number;
}

/**
 * The smallest part of a scenario that fails in the same way: faults, entries of the timeline, deployments and devices
 * are left out as long as one of the expectations that fail now still fails in the same way.
 * @param text A scenario file.
 */
export async function shrink(text: string, file: string, seed: string, options: WorldOptions): Promise<Shrunk> {
  const wanted = await failuresOf(parseScenario(text, file), seed, options);
  let tries = 1;
  let current = text;
  const stillFails = async (candidate: string): Promise<boolean> => {
    tries++;
    const scenario = usable(candidate, file);
    if (scenario === undefined) return false;
    const failures = await failuresOf(scenario, seed, options);
    return failures.some((one) => wanted.includes(one));
  };
  for (let smaller = true; smaller && tries < TRIES_MAX; ) {
    smaller = false;
    for (const cut of cutsOf(current)) {
      const document = parseDocument(current);
      if (!cut(document)) continue;
      const candidate = document.toString({ lineWidth: 120 });
      if (tries >= TRIES_MAX || !(await stillFails(candidate))) continue;
      current = candidate;
      smaller = true;
      break;
    }
  }
  return { text: withSeed(current, seed), tries };
}

function usable(text: string, file: string): Scenario | undefined {
  try {
    return parseScenario(text, file);
  } catch (error) {
    // A remaining part refers to one that was left out.
    if (error instanceof ScenarioFileError) return undefined;
    throw error;
  }
}

async function failuresOf(scenario: Scenario, seed: string, options: WorldOptions): Promise<string[]> {
  const { verdicts } = await runSimulated({ ...scenario, seed }, options);
  return verdicts.filter(({ met }) => !met).map(({ expected, got }) => `${expected}: ${withoutMoment(got)}`);
}

/** With fewer events the same failure can come at another time. */
function withoutMoment(got: string): string {
  return got.replace(/ (at|until) \d.*$/, "");
}

/** Everything that may be left out, the largest parts first. */
function cutsOf(text: string): Cut[] {
  const document = parseDocument(text);
  const cuts: Cut[] = [];
  for (const list of LISTS) {
    const entries = document.get(list);
    if (!isSeq(entries) || entries.items.length === 0) continue;
    if (list !== "fleet" && entries.items.length > 1) cuts.push((one) => one.delete(list));
    for (let index = entries.items.length - 1; index >= 0; index--)
      cuts.push((one) => (one.getIn([list]) !== undefined ? one.deleteIn([list, index]) : false));
  }
  cuts.push(...countCuts(document), ...expectationCuts(document));
  return cuts;
}

/** Fewer devices of a row: one less; and half of them. */
function countCuts(document: Document): Cut[] {
  const fleet = document.get("fleet");
  if (!isSeq(fleet)) return [];
  return fleet.items.flatMap((row, index): Cut[] => {
    const count = isMap(row) ? Number(row.get("count") ?? 1) : 1;
    return [Math.floor(count / 2), count - 1]
      .filter((less) => less >= 1 && less < count)
      .map((less) => (one) => {
        one.setIn(["fleet", index, "count"], less);
        return true;
      });
  });
}

function expectationCuts(document: Document): Cut[] {
  const expectations = document.get("expect");
  if (!isSeq(expectations) || expectations.items.length < 2) return [];
  return expectations.items.map((_, index) => (one) => one.deleteIn(["expect", index]));
}

function withSeed(text: string, seed: string): string {
  const document = parseDocument(text);
  document.set("seed", /^\d{1,15}$/.test(seed) ? Number(seed) : seed);
  return document.toString({ lineWidth: 120 });
}
