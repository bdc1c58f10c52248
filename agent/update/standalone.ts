import { AgentError } from "../errors.ts";
import { type OpenedArtifact, openFitting } from "./artifact.ts";
import { type JournalRecord, newRecord } from "./journal.ts";
import type { WalkEnd, WalkStart } from "./machine.ts";
import type { ArtifactSource } from "./ports.ts";
import type { StandaloneResult } from "./results.ts";
import { asAgentError, type EngineOptions, moduleOf } from "./run.ts";
import { type StateName, stateOf } from "./states.ts";

/** What the engine lends to updates by hand: the same table, walked the same way. */
export interface StandaloneSteps {
  readonly options: EngineOptions;
  readonly signal: AbortSignal;
  walk(record: JournalRecord, startOf: (record: JournalRecord) => WalkStart, opened?: OpenedArtifact): Promise<WalkEnd>;
  restartOf(record: JournalRecord): WalkStart;
}

/** Where a person may let an update by hand stop: the reference client's names, and the states that they mean. */
export const STOPS = {
  ArtifactInstall_Enter: "ArtifactInstall",
  ArtifactCommit_Enter: "ArtifactCommit",
  ArtifactCommit_Leave: "AfterArtifactCommit",
  ArtifactRollback_Enter: "ArtifactRollback",
  ArtifactFailure_Enter: "ArtifactFailure",
  Cleanup: "Cleanup",
} as const satisfies Record<string, StateName>;

/** @throws AgentError `stop-unknown`, naming what may be given. */
export function stopsOf(names: readonly string[]): ReadonlySet<StateName> {
  const known: ReadonlyMap<string, StateName> = new Map(Object.entries(STOPS));
  return new Set(
    names.map((name) => {
      const state = known.get(name);
      if (state !== undefined) return state;
      throw new AgentError(
        "stop-unknown",
        `an update cannot be stopped before ${JSON.stringify(name)}, only before one of ${[...known.keys()].join(", ")}`,
      );
    }),
  );
}

/** States from which nothing leads to the new artifact any more. */
const WAY_BACK: ReadonlySet<StateName> = new Set<StateName>([
  "SupportsRollback",
  "ArtifactRollback",
  "ArtifactFailure",
]);

/** Interrupted in one of these, the update has changed nothing, or it is over: nobody needs to decide anything. */
const SETTLED: ReadonlySet<StateName> = new Set<StateName>(["Download", "Report"]);

/** Interrupted or stopped in one of these, there is something to roll back, and the update is not yet over. */
const REVERSIBLE: ReadonlySet<StateName> = new Set<StateName>([
  "ArtifactInstall",
  "AwaitCommit",
  "ArtifactCommit",
  "ArtifactRollback",
]);

/** Check, download, install; commit at once if there is no way back. */
export async function installStandalone(steps: StandaloneSteps, source: ArtifactSource): Promise<StandaloneResult> {
  let opened: OpenedArtifact;
  try {
    opened = await openFitting({ ...steps, logger: steps.options.logger }, source);
  } catch (error) {
    if (steps.signal.aborted) return { kind: "interrupted", state: "Download" };
    return { kind: "failed", artifactName: undefined, device: "old", failure: asAgentError(error) };
  }
  const record = newRecord("standalone", null, steps.options.system.clock.now());
  try {
    return resultOf(record, await steps.walk(record, () => ({ to: "Download" }), opened));
  } finally {
    // For the paths that end before the download begins.
    await opened.close();
  }
}

/** Go on with what was stopped, waits, or was interrupted: to the commit if nothing is in its way, else back. */
export async function resumeStandalone(steps: StandaloneSteps): Promise<StandaloneResult> {
  const record = await pendingRecord(steps);
  if (record === undefined) return NONE;
  if (record.state === "AwaitCommit") return resultOf(record, await steps.walk(record, TO_COMMIT));
  return await goOn(steps, record);
}

/** Commit what waits for it. What was interrupted before it could wait comes to its end: by rolling back. */
export async function commitStandalone(steps: StandaloneSteps): Promise<StandaloneResult> {
  const record = await pendingRecord(steps);
  if (record === undefined) return NONE;
  const waits = record.state === "AwaitCommit" || (record.stopped === true && record.state === "ArtifactCommit");
  if (waits) return resultOf(record, await steps.walk(record, TO_COMMIT));
  const begun = record.stopped !== true && (record.state === "ArtifactInstall" || record.state === "ArtifactCommit");
  if (!begun) return wrongState(record, "commit");
  return resultOf(record, await steps.walk(record, steps.restartOf));
}

/** Go back to what ran before. */
export async function rollbackStandalone(steps: StandaloneSteps): Promise<StandaloneResult> {
  const record = await pendingRecord(steps);
  if (record === undefined) return NONE;
  const stopped = record.stopped === true;
  if (!REVERSIBLE.has(record.state) && !(stopped && record.state === "AfterArtifactCommit")) {
    return wrongState(record, "roll back");
  }
  if (!stopped && record.state !== "AwaitCommit") return await goOn(steps, record);
  const artifactName = nameIn(record);
  try {
    if (!(await canRollBack(steps, record))) return { kind: "rollback-unsupported", artifactName };
  } catch (error) {
    if (steps.signal.aborted) return { kind: "interrupted", state: record.state };
    return { kind: "failed", artifactName, device: record.device, failure: asAgentError(error) };
  }
  forgetWhatWasTold(record);
  return asRollback(resultOf(record, await steps.walk(record, () => ({ to: "ArtifactRollback" }))));
}

const NONE = { kind: "none-in-progress" } as const;
const TO_COMMIT = (): WalkStart => ({ to: "ArtifactCommit" });

/** Go on from where the journal says, and answer only for what comes of that. */
async function goOn(steps: StandaloneSteps, record: JournalRecord): Promise<StandaloneResult> {
  const earlier = forgetWhatWasTold(record);
  // What failed before an interruption was told to nobody yet.
  const untold = record.failure !== null;
  const start = steps.restartOf(record);
  const result = resultOf(record, await steps.walk(record, () => start));
  if (untold || result.kind !== "failed" || result.artifactName === undefined) return result;
  const { artifactName, device } = result;
  const fault = record.failure !== null;
  if (device === "old" && (WAY_BACK.has(start.to) || (!fault && earlier === null))) {
    return { kind: "rolled-back", artifactName };
  }
  return fault || earlier === null ? result : { kind: "tidied", artifactName, device, failure: earlier };
}

/** Whoever let the update stop has been told of its failure: from here on only new ones count. */
function forgetWhatWasTold(record: JournalRecord): string | null {
  const { failure } = record;
  if (record.stopped !== true) return null;
  record.failure = null;
  record.failureCode = null;
  return failure;
}

async function canRollBack(steps: StandaloneSteps, record: JournalRecord): Promise<boolean> {
  const { options, signal } = steps;
  const run = { options, record, logger: options.logger, log: undefined, signal, instructions: undefined };
  return await (await moduleOf({ ...run, opened: undefined })).supportsRollback();
}

/** The update by hand that waits for a decision. One that needs none is brought to its end. */
async function pendingRecord(steps: StandaloneSteps): Promise<JournalRecord | undefined> {
  const record = steps.options.store.update;
  if (record?.mode !== "standalone") return undefined;
  // Of what failed before its artifact was known there is nothing to commit, and nothing to roll back.
  if (!SETTLED.has(record.state) && record.artifact !== null) return structuredClone(record);
  await steps.walk(structuredClone(record), steps.restartOf);
  steps.signal.throwIfAborted();
  return undefined;
}

function wrongState(record: JournalRecord, wish: "commit" | "roll back"): StandaloneResult {
  return { kind: "wrong-state", artifactName: nameIn(record), wish, where: whereabouts(record) };
}

/** Where an update is, for a person. */
export function whereabouts({ state, stopped }: Pick<JournalRecord, "state" | "stopped">): string {
  if (!stopped) return stateOf(state).doing;
  const name = Object.entries(STOPS).find(([, stop]) => stop === state)?.[0] ?? state;
  return `stopped before ${name}`;
}

/** An update that was asked to go back, and did. */
function asRollback(result: StandaloneResult): StandaloneResult {
  if (result.kind !== "failed" || result.device !== "old" || result.artifactName === undefined) return result;
  return { kind: "rolled-back", artifactName: result.artifactName };
}

function resultOf(record: JournalRecord, end: WalkEnd): StandaloneResult {
  if (end === "Interrupted") return { kind: "interrupted", state: record.state };
  const rebootNeeded = record.reboot !== "No";
  if (record.stopped) {
    const artifactName = nameIn(record);
    return { kind: "stopped", artifactName, where: whereabouts(record), rebootNeeded, failure: failureIn(record) };
  }
  if (record.outcome === null && record.state === "AwaitCommit") {
    return { kind: "awaiting-commit", artifactName: nameIn(record), rebootNeeded };
  }
  if (record.outcome === null) return unfinished(record);
  if (record.outcome === "success") return { kind: "committed", artifactName: nameIn(record), rebootNeeded };
  return {
    kind: "failed",
    artifactName: record.artifact?.name,
    device: record.device,
    failure: failureIn(record) ?? new AgentError("rolled-back", "it was rolled back"),
  };
}

/** All was done, and the outcome waits until it can be written down. */
function unfinished(record: JournalRecord): StandaloneResult {
  const failure =
    failureIn(record) ?? new AgentError("journal-failed", "the outcome of the update cannot be written down");
  return { kind: "unfinished", artifactName: record.artifact?.name, device: record.device, failure };
}

function failureIn({ failure, failureCode }: JournalRecord): AgentError | undefined {
  return failure === null ? undefined : new AgentError(failureCode ?? "failed", failure);
}

function nameIn(record: JournalRecord): string {
  if (record.artifact === null) throw new TypeError(`no artifact is known in state ${record.state}`);
  return record.artifact.name;
}
