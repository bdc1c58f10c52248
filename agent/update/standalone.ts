import { AgentError } from "../errors.ts";
import type { ArtifactSource } from "../server/deployment-server.ts";
import { type OpenedArtifact, openFitting } from "./artifact.ts";
import { deviceSoftware, type JournalRecord, newRecord } from "./journal.ts";
import { type WalkEnd, walk, walkStart } from "./machine.ts";
import type { StandaloneResult } from "./results.ts";
import { asAgentError, type EngineOptions, moduleOf, type Run } from "./run.ts";
import type { StateName } from "./states.ts";
import { type Stops, whereabouts } from "./stops.ts";

/** What an update by hand needs besides the journal's record. */
export interface StandaloneContext {
  readonly options: EngineOptions;
  readonly signal: AbortSignal;
  readonly stops: Stops;
  /** Called when a walk has ended the update. */
  readonly onOver: (run: Run) => Promise<void>;
}

/** States from which no step leads to the new artifact. */
const ROLLING_BACK: ReadonlySet<StateName> = new Set<StateName>([
  "SupportsRollback",
  "ArtifactRollback",
  "ArtifactFailure",
]);

/** An update that is interrupted in one of these has changed nothing, or is over: there is nothing to decide. */
const UNDECIDABLE: ReadonlySet<StateName> = new Set<StateName>(["Download", "Report"]);

/** How `commit` and `rollback` are carried out. `restart`: as the table says for a restart in that state. */
interface Decisions {
  readonly commit?: "ArtifactCommit" | "restart";
  readonly rollback?: "ArtifactRollback" | "restart";
}

/** The decisions that a person can take of an update that was interrupted, or waits, in a state. */
const IN_STATE: Readonly<Partial<Record<StateName, Decisions>>> = {
  ArtifactInstall: { commit: "restart", rollback: "restart" },
  AwaitCommit: { commit: "ArtifactCommit", rollback: "ArtifactRollback" },
  ArtifactCommit: { commit: "restart", rollback: "restart" },
  ArtifactRollback: { rollback: "restart" },
};

/** The same of an update that was stopped before a state. */
const BEFORE_STATE: Readonly<Partial<Record<StateName, Decisions>>> = {
  ArtifactInstall: { rollback: "ArtifactRollback" },
  ArtifactCommit: { commit: "ArtifactCommit", rollback: "ArtifactRollback" },
  AfterArtifactCommit: { rollback: "ArtifactRollback" },
  ArtifactRollback: { rollback: "ArtifactRollback" },
};

const NONE = { kind: "none-in-progress" } as const;

/** Check, download and install an artifact; commit at once if the update module cannot roll back. */
export async function installStandalone(context: StandaloneContext, source: ArtifactSource): Promise<StandaloneResult> {
  const { options, signal } = context;
  let opened: OpenedArtifact;
  try {
    opened = await openFitting({ options, signal, logger: options.logger }, source);
  } catch (error) {
    if (signal.aborted) return { kind: "interrupted", state: "Download" };
    return { kind: "failed", artifactName: undefined, device: "old", failure: asAgentError(error) };
  }
  const record = newRecord({ mode: "standalone" }, options.system.clock.now());
  try {
    return resultOf(record, await walkTo("Download", context, record, opened));
  } finally {
    // For the paths that end before the download begins.
    await opened.close();
  }
}

/** Continue an update that was stopped, waits or was interrupted: with the commit if possible, else with the rollback. */
export async function resumeStandalone(context: StandaloneContext): Promise<StandaloneResult> {
  const record = await pendingRecord(context);
  if (record === undefined) return NONE;
  if (record.position.state === "AwaitCommit") return resultOf(record, await walkTo("ArtifactCommit", context, record));
  return await continueFromJournal(context, record);
}

/** Commit an update that waits for it. One that was interrupted before it could wait is rolled back instead. */
export async function commitStandalone(context: StandaloneContext): Promise<StandaloneResult> {
  const record = await pendingRecord(context);
  if (record === undefined) return NONE;
  const { commit } = decisionsOf(record);
  if (commit === undefined) return wrongState(record, "commit");
  const end = commit === "restart" ? walkFromJournal(context, record) : walkTo(commit, context, record);
  return resultOf(record, await end);
}

/** Go back to what ran before. */
export async function rollbackStandalone(context: StandaloneContext): Promise<StandaloneResult> {
  const record = await pendingRecord(context);
  if (record === undefined) return NONE;
  const { rollback } = decisionsOf(record);
  if (rollback === undefined) return wrongState(record, "roll back");
  if (rollback === "restart") return await continueFromJournal(context, record);
  const artifactName = nameIn(record);
  try {
    const module = await moduleOf(runOf(context, record));
    if (!(await module.supportsRollback())) return { kind: "rollback-unsupported", artifactName };
  } catch (error) {
    if (context.signal.aborted) return { kind: "interrupted", state: record.position.state };
    return { kind: "failed", artifactName, device: deviceSoftware(record), failure: asAgentError(error) };
  }
  forgetToldFailure(record);
  return asRollback(resultOf(record, await walkTo(rollback, context, record)));
}

/** End an update that was interrupted before it changed anything, or when it was over already; leave any other. */
export async function finishUndecidable(context: StandaloneContext, record: JournalRecord): Promise<void> {
  if (record.origin.mode !== "standalone" || record.position.kind === "stopped-before") return;
  const copy = structuredClone(record);
  const run = runOf(context, copy);
  const { to } = walkStart(run);
  if (to === "Cleanup" || to === "Report") await walkTo(to, context, copy);
}

function decisionsOf({ position: { kind, state } }: JournalRecord): Decisions {
  return (kind === "stopped-before" ? BEFORE_STATE : IN_STATE)[state] ?? {};
}

function runOf({ options, signal, stops }: StandaloneContext, record: JournalRecord, opened?: OpenedArtifact): Run {
  return { options, record, logger: options.logger, log: undefined, signal, instructions: undefined, opened, stops };
}

async function walkTo(
  to: StateName,
  context: StandaloneContext,
  record: JournalRecord,
  opened?: OpenedArtifact,
): Promise<WalkEnd> {
  const run = runOf(context, record, opened);
  const end = await walk(run, { to });
  if (end === "Idle") await context.onOver(run);
  return end;
}

async function walkFromJournal(context: StandaloneContext, record: JournalRecord): Promise<WalkEnd> {
  return await walkTo(walkStart({ record }).to, context, record);
}

/** Continue where the journal says; the result tells only of failures that were not told before. */
async function continueFromJournal(context: StandaloneContext, record: JournalRecord): Promise<StandaloneResult> {
  const earlier = forgetToldFailure(record);
  // A failure before an interruption has not been told yet.
  const untold = record.failure !== null;
  const { to } = walkStart({ record });
  const result = resultOf(record, await walkTo(to, context, record));
  if (untold || result.kind !== "failed" || result.artifactName === undefined) return result;
  const { artifactName, device } = result;
  const fault = record.failure !== null;
  if (device === "old" && (ROLLING_BACK.has(to) || (!fault && earlier === null))) {
    return { kind: "rolled-back", artifactName };
  }
  return fault || earlier === null ? result : { kind: "tidied", artifactName, device, failure: earlier };
}

/** The person who stopped the update was told of its failure then. @returns That failure. */
function forgetToldFailure(record: JournalRecord): string | null {
  const { failure, position } = record;
  if (position.kind !== "stopped-before") return null;
  record.failure = null;
  return failure?.message ?? null;
}

/** The update by hand that waits for a decision. One that needs none is brought to its end. */
async function pendingRecord(context: StandaloneContext): Promise<JournalRecord | undefined> {
  const journalled = context.options.store.update;
  if (journalled?.origin.mode !== "standalone") return undefined;
  const record = structuredClone(journalled);
  // An update that failed before its artifact was known has nothing to commit, and nothing to roll back.
  if (!UNDECIDABLE.has(record.position.state) && record.artifact !== null) return record;
  await walkFromJournal(context, record);
  context.signal.throwIfAborted();
  return undefined;
}

function wrongState(record: JournalRecord, wish: "commit" | "roll back"): StandaloneResult {
  return { kind: "wrong-state", artifactName: nameIn(record), wish, where: whereabouts(record) };
}

/** A rollback that a person asked for is no failure. */
function asRollback(result: StandaloneResult): StandaloneResult {
  if (result.kind !== "failed" || result.device !== "old" || result.artifactName === undefined) return result;
  return { kind: "rolled-back", artifactName: result.artifactName };
}

function resultOf(record: JournalRecord, end: WalkEnd): StandaloneResult {
  const { position, outcome } = record;
  if (end === "Interrupted") return { kind: "interrupted", state: position.state };
  const rebootNeeded = record.reboot !== "No";
  if (position.kind === "stopped-before") {
    const artifactName = nameIn(record);
    return { kind: "stopped", artifactName, where: whereabouts(record), rebootNeeded, failure: failureIn(record) };
  }
  if (outcome === null && position.state === "AwaitCommit") {
    return { kind: "awaiting-commit", artifactName: nameIn(record), rebootNeeded };
  }
  if (outcome === null) return unfinished(record);
  if (outcome === "success") return { kind: "committed", artifactName: nameIn(record), rebootNeeded };
  return {
    kind: "failed",
    artifactName: record.artifact?.name,
    device: deviceSoftware(record),
    failure: failureIn(record) ?? new AgentError("rolled-back", "it was rolled back"),
  };
}

/** Everything was done, but the outcome waits until it can be written down. */
function unfinished(record: JournalRecord): StandaloneResult {
  const failure =
    failureIn(record) ?? new AgentError("journal-failed", "the outcome of the update cannot be written down");
  return { kind: "unfinished", artifactName: record.artifact?.name, device: deviceSoftware(record), failure };
}

function failureIn({ failure }: JournalRecord): AgentError | undefined {
  return failure === null ? undefined : new AgentError(failure.code, failure.message);
}

function nameIn(record: JournalRecord): string {
  if (record.artifact === null) throw new TypeError(`no artifact is known in state ${record.position.state}`);
  return record.artifact.name;
}
