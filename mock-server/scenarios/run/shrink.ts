import { type Document, isMap, isSeq, parseDocument } from "yaml";
import { parseScenario, type Scenario, ScenarioFileError } from "../file/index.ts";
import type { WorldOptions } from "../world/world.ts";
import type { RunEvent } from "./events.ts";
import { runSimulated } from "./run.ts";
import type { Verdict } from "./verdict.ts";

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
  /** The unmet expectation that it keeps: what was expected, and what came. */
  readonly keeps: Pick<Verdict, "expected" | "got">;
}

/**
 * The smallest part of a scenario whose first unmet expectation still fails, with the same result and for the same
 * reason: faults, entries of the timeline, deployments, devices and other expectations are left out as long as it does.
 * @param text A scenario file.
 * @throws Error if every expectation is met.
 */
export async function shrink(text: string, file: string, seed: string, options: WorldOptions): Promise<Shrunk> {
  const [wanted] = await failuresOf(parseScenario(text, file), seed, options);
  if (wanted === undefined) throw new Error(`${file}: every expectation is met`);
  let tries = 1;
  let current = text;
  const stillFails = async (candidate: string): Promise<boolean> => {
    tries++;
    const scenario = usable(candidate, file);
    if (scenario === undefined) return false;
    const failures = await failuresOf(scenario, seed, options);
    return failures.some(({ signature }) => signature === wanted.signature);
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
  return { text: withSeed(current, seed), tries, keeps: wanted };
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

interface Failure extends Pick<Verdict, "expected" | "got"> {
  /** Equal for failures of the same expectation with the same result and the same reason. */
  readonly signature: string;
}

async function failuresOf(scenario: Scenario, seed: string, options: WorldOptions): Promise<Failure[]> {
  const { verdicts, events } = await runSimulated({ ...scenario, seed }, options);
  return verdicts
    .filter(({ met }) => !met)
    .map((verdict) => {
      const { expected, got } = verdict;
      return { expected, got, signature: [expected, withoutMoment(got), ...reasonsOf(verdict, events)].join("\n") };
    });
}

/**
 * What led to the result: how each update of the devices concerned ended, with the first error of its log. A device that
 * runs v1 because its update failed is another failure than one that runs v1 because it got no update.
 */
function reasonsOf({ device, deployment }: Verdict, events: readonly RunEvent[]): string[] {
  const ends = new Map<string, string>();
  const errors = new Map<string, string>();
  for (const event of events) {
    if (event.kind !== "status" && event.kind !== "log") continue;
    if (device !== undefined ? event.device !== device : deployment !== undefined && event.deployment !== deployment)
      continue;
    const key = `${event.device} ${event.deployment}`;
    if (event.kind === "status") ends.set(key, event.status);
    const error = event.kind === "log" ? event.messages.find(({ level }) => level === "error") : undefined;
    if (error !== undefined) errors.set(key, error.message.replace(/\d+/g, "N"));
  }
  return [...ends].map(([key, status]) => `${key} ${status} ${errors.get(key) ?? ""}`).sort();
}

/** With fewer events the same failure can come at another time. */
function withoutMoment(got: string): string {
  return got.replace(/ (at|until) \d.*$/, "").replace(/^at \d.*$/, "at another time");
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
