import { AgentError } from "../errors.ts";
import { type OpenedArtifact, openFitting } from "./artifact.ts";
import { type JournalRecord, newRecord } from "./journal.ts";
import type { WalkEnd, WalkStart } from "./machine.ts";
import type { ArtifactSource } from "./ports.ts";
import type { StandaloneResult } from "./results.ts";
import { asAgentError, type EngineOptions, moduleOf } from "./run.ts";

/** What the engine lends to updates by hand: the same table, walked the same way. */
export interface StandaloneSteps {
  readonly options: EngineOptions;
  readonly signal: AbortSignal;
  walk(record: JournalRecord, startOf: (record: JournalRecord) => WalkStart, opened?: OpenedArtifact): Promise<WalkEnd>;
  restartOf(record: JournalRecord): WalkStart;
}

/** Check, download, install; commit at once if there is no way back. */
export async function installStandalone(steps: StandaloneSteps, source: ArtifactSource): Promise<StandaloneResult> {
  let opened: OpenedArtifact;
  try {
    opened = await openFitting(steps.options, source, steps.signal);
  } catch (error) {
    if (steps.signal.aborted) return { kind: "interrupted", state: "Download" };
    return { kind: "failed", artifactName: undefined, device: "old", failure: asAgentError(error) };
  }
  const record = newRecord("standalone", null);
  try {
    return resultOf(record, await steps.walk(record, () => ({ to: "Download" }), opened));
  } finally {
    // For the paths that end before the download begins.
    await opened.close();
  }
}

/** Commit what waits for it. What was interrupted before it could wait comes to its end: by rolling back. */
export async function commitStandalone(steps: StandaloneSteps): Promise<StandaloneResult> {
  const record = pendingRecord(steps);
  if (record === undefined) return { kind: "none-in-progress" };
  const waits = record.state === "AwaitCommit";
  return resultOf(record, await steps.walk(record, waits ? () => ({ to: "ArtifactCommit" }) : steps.restartOf));
}

/** Go back to what ran before. What was interrupted comes to its end, which is the same unless it is committed. */
export async function rollbackStandalone(steps: StandaloneSteps): Promise<StandaloneResult> {
  const record = pendingRecord(steps);
  if (record === undefined) return { kind: "none-in-progress" };
  if (record.state !== "AwaitCommit") return asRollback(resultOf(record, await steps.walk(record, steps.restartOf)));
  const artifactName = nameIn(record);
  try {
    if (!(await canRollBack(steps, record))) return { kind: "rollback-unsupported", artifactName };
  } catch (error) {
    if (steps.signal.aborted) return { kind: "interrupted", state: record.state };
    return { kind: "failed", artifactName, device: record.device, failure: asAgentError(error) };
  }
  return asRollback(resultOf(record, await steps.walk(record, () => ({ to: "ArtifactRollback" }))));
}

async function canRollBack(steps: StandaloneSteps, record: JournalRecord): Promise<boolean> {
  const { options, signal } = steps;
  const run = { options, record, logger: options.logger, log: undefined, signal, instructions: undefined };
  return await (await moduleOf({ ...run, opened: undefined })).supportsRollback();
}

function pendingRecord({ options }: StandaloneSteps): JournalRecord | undefined {
  const record = options.store.update;
  return record?.mode === "standalone" ? structuredClone(record) : undefined;
}

/** An update that was asked to go back, and did. */
function asRollback(result: StandaloneResult): StandaloneResult {
  if (result.kind !== "failed" || result.device !== "old" || result.artifactName === undefined) return result;
  return { kind: "rolled-back", artifactName: result.artifactName };
}

function resultOf(record: JournalRecord, end: WalkEnd): StandaloneResult {
  if (end === "Interrupted") return { kind: "interrupted", state: record.state };
  if (record.outcome === null) {
    return { kind: "awaiting-commit", artifactName: nameIn(record), rebootNeeded: record.reboot !== "No" };
  }
  if (record.outcome === "success") {
    return { kind: "committed", artifactName: nameIn(record), rebootNeeded: record.reboot !== "No" };
  }
  return {
    kind: "failed",
    artifactName: record.artifact?.name,
    device: record.device,
    failure: new AgentError(record.failureCode ?? "rolled-back", record.failure ?? "it was rolled back"),
  };
}

function nameIn(record: JournalRecord): string {
  if (record.artifact === null) throw new TypeError(`no artifact is known in state ${record.state}`);
  return record.artifact.name;
}
