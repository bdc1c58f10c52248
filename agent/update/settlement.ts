import { given } from "@upkeep/shared/given";
import { committedProvides, inconsistentProvides, installedProvides } from "../device/provides.ts";
import { ACTIONS } from "./actions.ts";
import { deviceSoftware, type JournalRecord } from "./journal.ts";
import { asAgentError, type Run } from "./run.ts";
import type { StateName } from "./states.ts";

/** How an update ended, or would end now. */
export function outcomeOf({ outcome, software }: Pick<JournalRecord, "outcome" | "software">): "success" | "failure" {
  return outcome ?? (software === "new" ? "success" : "failure");
}

/** Logs that a state could not be written down. @returns Why. */
export function journalFailed(run: Run, name: StateName, error: unknown): string {
  run.signal.throwIfAborted();
  const { message } = asAgentError(error);
  run.journalFault = message;
  run.logger.error(`cannot write down state ${name}: ${message}`);
  return message;
}

/**
 * Fix the outcome of an update. On a full disk the state acts first: a state that cleans up needs no room and frees some.
 * @returns False if the outcome could not be written down and has to wait until it can.
 */
export async function settle(run: Run, name: StateName): Promise<boolean> {
  if (await written(run, name)) return true;
  try {
    await ACTIONS[name](run);
  } catch (error) {
    run.signal.throwIfAborted();
    run.logger.error(`${name}, before its outcome is written down: ${asAgentError(error).message}`);
  }
  return (await written(run, name)) || settledWithoutJournal(run);
}

/**
 * Write the outcome and what the device provides with it, in one transaction. The record has the outcome only once the
 * store has it: until then it is determined anew with each attempt.
 * @returns False if it could not be written.
 */
async function written(run: Run, name: StateName): Promise<boolean> {
  const { record } = run;
  const { store } = run.options;
  const outcome = outcomeOf(record);
  const provides = record.outcome === null ? newProvides(run) : undefined;
  await run.log?.flush();
  try {
    await store.save({ update: { ...record, outcome }, ...given({ provides }) });
  } catch (error) {
    journalFailed(run, name, error);
    // The report must be what a restart would lead to. A store in which nothing was ever written leads nowhere else.
    if (store.update !== undefined && store.update.outcome !== outcome) return false;
  }
  record.outcome = outcome;
  if (provides !== undefined && record.software !== "new") explainInconsistency(run, provides);
  return true;
}

/** States in the journal from which a restart may still lead to success. */
const MAY_SUCCEED: ReadonlySet<StateName> = new Set<StateName>(["AwaitCommit", "AfterArtifactCommit"]);

/**
 * Fix an outcome that cannot be written down. A failure is reported all the same, so that the server need not wait for a
 * disk that may never be repaired: a restart from the state in the journal leads to a failure too, or asks the server,
 * which does not offer again what has failed.
 * @returns False for an outcome that a restart might contradict.
 */
function settledWithoutJournal(run: Run): boolean {
  const { record } = run;
  const { store } = run.options;
  if (outcomeOf(record) === "success") return false;
  if (store.update !== undefined && MAY_SUCCEED.has(store.update.position.state)) return false;
  const provides = newProvides(run);
  record.outcome = "failure";
  if (provides === undefined) return true;
  store.owe(provides);
  explainInconsistency(run, provides);
  return true;
}

/** The artifact's name stays until another update succeeds: the log tells why it says that it is inconsistent. */
function explainInconsistency({ logger, record }: Run, provides: Readonly<Record<string, string>>): void {
  logger.error(
    `it is not certain what runs on this device now: it calls itself ${JSON.stringify(provides.artifact_name)} until an update succeeds, and artifacts that depend on another name do not fit until then. The reason: ${record.failure?.message ?? "not known"}`,
  );
}

/** What the device provides from now on; `undefined` if that has not changed. */
function newProvides({ record, options }: Run): Readonly<Record<string, string>> | undefined {
  const { artifact, software } = record;
  const device = deviceSoftware(record);
  if (artifact === null || device === "old") return undefined;
  const before = installedProvides(options.store);
  return device === "new"
    ? committedProvides(before, artifact)
    : inconsistentProvides(before, artifact, software === "loop");
}
