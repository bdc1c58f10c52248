import { given } from "@upkeep/shared/given";
import { committedProvides, inconsistentProvides, installedProvides } from "../device/provides.ts";
import { AgentError } from "../errors.ts";
import { unlessAborted } from "./abort-watch.ts";
import { ACTIONS } from "./actions.ts";
import type { JournalRecord } from "./journal.ts";
import { reportState } from "./reporting.ts";
import { asAgentError, type Run, scriptsOf } from "./run.ts";
import { type DeviceSoftware, type Ending, type State, type StateName, type Step, stateOf } from "./states.ts";

/** How a walk through the table ended. `Interrupted`: the program is to end; the journal tells how to go on. */
export type WalkEnd = Ending | "Interrupted";

export interface WalkStart {
  readonly to: StateName;
  /** The journal holds this state already, written by this very program. */
  readonly journalled?: boolean;
}

/** Walk the table from a state to an ending. Whatever goes wrong in a state is an outcome of that state. */
export async function walk(run: Run, start: WalkStart): Promise<WalkEnd> {
  let step: Step & { readonly to: StateName | Ending; readonly journalled?: boolean } = start;
  // Only a state that has not begun can be stopped before. Those of the way back begin as often as need be.
  let begun = start.to === "AfterArtifactCommit" && run.record.stopped !== true;
  while (step.to !== "Idle" && step.to !== "Waiting") {
    if (run.signal.aborted) return "Interrupted";
    const name: StateName = step.to;
    if (!begun && run.stops?.has(name) && !hasNoScripts(run)) {
      await stopBefore(run, name);
      return "Waiting";
    }
    begun = false;
    try {
      const outcome = await visit(run, name, step);
      if (typeof outcome !== "string") {
        step = outcome;
        continue;
      }
      const next = stateOf(name).next[outcome];
      if (next === undefined) throw new TypeError(`state ${name} has no outcome ${outcome}`);
      step = next;
    } catch (error) {
      if (run.signal.aborted) return "Interrupted";
      throw error;
    }
    if (step.device !== undefined) setDevice(run, step.device);
  }
  return step.to;
}

/**
 * Write down that the update rests before a state.
 * @throws AgentError `journal-failed`; a restart goes on from the state before then.
 */
async function stopBefore(run: Run, name: StateName): Promise<void> {
  const { record, options } = run;
  record.state = name;
  record.stopped = true;
  try {
    await options.store.save({ update: record });
  } catch (error) {
    const message = notWritten(run, name, error);
    throw new AgentError("journal-failed", `the journal cannot be written: ${message}`, { cause: error });
  }
  run.logger.info(`stopped before the state ${name}, as it was asked for`);
}

/** @returns The outcome; or the step to go on with, where the journal decides. */
async function visit(
  run: Run,
  name: StateName,
  { bare, journalled }: { readonly bare?: true; readonly journalled?: boolean },
): Promise<string | { readonly to: StateName | Ending }> {
  const state = stateOf(name);
  delete run.record.stopped;
  run.options.onProgress?.({ kind: "state", state: name });
  run.logger.debug(`state ${name}: ${state.doing}`);
  // A final status is reported from the journal; any other before the state begins.
  const late = state.report?.status === "outcome";
  if (state.report !== undefined && !late) {
    const told = await reportState(run, state.report);
    if (told === "aborted") return aborted(run);
    if (told === "failed") return failed(run, name, "report-failed", "the server could not be told");
  }
  if (state.limited) {
    if (run.record.rollbackReboots >= run.options.settings.rollbackRebootsMax) return tooOften(run, name);
    run.record.rollbackReboots += 1;
  }
  if (!journalled) {
    const detour = await journal(run, name, state);
    if (detour !== undefined) return detour;
  }
  const act = (inner: Run): Promise<string> => actWithScripts(inner, name, state, bare === true);
  const outcome = state.report?.repeated && !late ? await unlessAborted(run, state.report.status, act) : await act(run);
  if (outcome === undefined) {
    run.logger.warning(`stopped while ${state.doing}`);
    return `${aborted(run)}-within`;
  }
  if (state.report === undefined || !late) return outcome;
  const told = await reportState(run, state.report);
  return told === "aborted" ? aborted(run) : told;
}

function tooOften(run: Run, name: StateName): string {
  const { rollbackReboots } = run.record;
  const message = `what ran before did not come back within ${rollbackReboots} reboots, so no more are made`;
  failed(run, name, "rollback-reboots", message);
  return "too-often";
}

async function actWithScripts(run: Run, name: StateName, state: State, bare: boolean): Promise<string> {
  const runSet = async (set: string | undefined): Promise<boolean> => {
    if (set === undefined || hasNoScripts(run)) return true;
    try {
      await scriptsOf(run).run(set, state.lenient);
      return true;
    } catch (error) {
      run.signal.throwIfAborted();
      fail(run, name, asAgentError(error));
      if (state.lenient) spoil(run);
      return false;
    }
  };
  const failedNow = async (): Promise<string> => {
    await runSet(state.error);
    return "failed";
  };

  if (!bare && !(await runSet(state.enter)) && !state.lenient) return await failedNow();
  let outcome: string;
  try {
    outcome = await ACTIONS[name](run);
  } catch (error) {
    run.signal.throwIfAborted();
    fail(run, name, asAgentError(error));
    if (!state.lenient) return await failedNow();
    if (state.leaveAlways) await runSet(state.leave);
    return "failed";
  }
  if (await runSet(state.leave)) return outcome;
  if (!state.lenient) return await failedNow();
  await runSet(state.error);
  return outcome;
}

/** An empty payload installed by hand changes only what the device says of itself: no script is asked. */
function hasNoScripts({ record, opened }: Run): boolean {
  const type = record.artifact === null ? opened?.payload.typeInfo.type : record.artifact.payloadType;
  return record.mode === "standalone" && type === null;
}

/** Write what is about to be done. @returns Where to go instead, if not on. */
async function journal(
  run: Run,
  name: StateName,
  state: State,
): Promise<string | { readonly to: StateName | Ending } | undefined> {
  if (state.journal === "no") return undefined;
  const { record } = run;
  const { store, settings } = run.options;
  record.visits += 1;
  if (record.visits > settings.stateVisitsMax && name !== "Report") {
    run.logger.error(`the update entered more than ${settings.stateVisitsMax} states: it is given up as a loop`);
    return await giveUp(run, name);
  }
  record.state = name;
  if (state.device !== undefined) setDevice(run, state.device);
  // An update that was given up may come to its report before its outcome could be written down.
  if (state.journal === "settle" || (name === "Report" && record.outcome === null)) {
    if (await settledAtLast(run, name)) return undefined;
    // It is entered again until there is room for it: that is no loop.
    record.visits -= 1;
    return { to: "Waiting" };
  }
  await run.log?.flush();
  try {
    await store.save({ update: record });
    return undefined;
  } catch (error) {
    const message = notWritten(run, name, error);
    if (state.limited && isHeld(run, name)) {
      record.visits -= 1;
      record.rollbackReboots -= 1;
      return { to: "Waiting" };
    }
    if (state.journal === "try") return undefined;
    return failed(run, name, "journal-failed", `the journal cannot be written: ${message}`);
  }
}

/**
 * A reboot that cannot be counted must not be repeated without pause: the journal would send the device from one into
 * the next. It is made all the same in the end, for the device may be out of reach until it has gone back.
 */
const UNCOUNTED_REBOOT_AFTER_MS = 60 * 60_000;

/** True if the reboot of a state that cannot be written down has to wait. */
function isHeld(run: Run, name: StateName): boolean {
  const nowMs = run.options.system.clock.monotonic();
  run.rebootHeldSinceMs ??= nowMs;
  const leftMs = run.rebootHeldSinceMs + UNCOUNTED_REBOOT_AFTER_MS - nowMs;
  if (leftMs <= 0) return false;
  run.logger.warning(
    `${name} waits until it can be written down, for another ${Math.ceil(leftMs / 60_000)} minutes at most`,
  );
  return true;
}

/** Says that a state could not be written down. @returns Why. */
function notWritten(run: Run, name: StateName, error: unknown): string {
  run.signal.throwIfAborted();
  const { message } = asAgentError(error);
  run.journalFault = message;
  run.logger.error(`cannot write down state ${name}: ${message}`);
  return message;
}

/** Too many states: the end, without calling anything that belongs to the update. */
async function giveUp(run: Run, name: StateName): Promise<{ readonly to: StateName | Ending }> {
  const { record } = run;
  if (record.outcome === null) {
    record.looped = true;
    // A download that is interrupted again and again has changed nothing.
    if (name !== "Download") record.device = "unknown";
    record.failure ??= "the update went through too many states and was given up as a loop";
    record.failureCode ??= "state-loop";
  }
  record.state = "Report";
  return { to: (await settledAtLast(run, "Report")) ? "Report" : "Waiting" };
}

/**
 * Fix the outcome, if need be after the state has acted: a state that cleans up needs no room and gives some back.
 * @returns False if it could not be written down, and has to wait until it can.
 */
async function settledAtLast(run: Run, name: StateName): Promise<boolean> {
  if (await settled(run, name)) return true;
  try {
    await ACTIONS[name](run);
  } catch (error) {
    run.signal.throwIfAborted();
    run.logger.error(`${name}, before its outcome is written down: ${asAgentError(error).message}`);
  }
  return (await settled(run, name)) || settledWithoutJournal(run);
}

/**
 * Fix the outcome, once, and what the device provides with it, in one transaction. The outcome is in the
 * record only once it is in the store: until then it is settled anew at the next try.
 * @returns False if that could not be written down.
 */
async function settled(run: Run, name: StateName): Promise<boolean> {
  const { record } = run;
  const { store } = run.options;
  const outcome = outcomeOf(record);
  const provides = record.outcome === null ? newProvides(run) : undefined;
  await run.log?.flush();
  try {
    await store.save({ update: { ...record, outcome }, ...given({ provides }) });
  } catch (error) {
    notWritten(run, name, error);
    // What is told must be what the journal leads to. Where nothing was ever written, it leads nowhere else.
    if (store.update !== undefined && store.update.outcome !== outcome) return false;
  }
  record.outcome = outcome;
  if (provides !== undefined && record.device !== "new") explainInconsistency(run, provides);
  return true;
}

/** States in the journal from which a restart may still lead to success. */
const MAY_SUCCEED: ReadonlySet<StateName> = new Set<StateName>(["AwaitCommit", "AfterArtifactCommit"]);

/**
 * Fix an outcome that cannot be written down. A failure is told all the same, so that the server need not wait for a
 * disk that may never be mended: a restart from what the journal holds leads to a failure too, or asks the server, which
 * does not offer again what has failed.
 * @returns False for an outcome that a restart might contradict.
 */
function settledWithoutJournal(run: Run): boolean {
  const { record } = run;
  const { store } = run.options;
  if (outcomeOf(record) === "success") return false;
  if (store.update !== undefined && MAY_SUCCEED.has(store.update.state)) return false;
  const provides = newProvides(run);
  record.outcome = "failure";
  if (provides === undefined) return true;
  store.owe(provides);
  explainInconsistency(run, provides);
  return true;
}

/** How an update ended, or would end now. */
export function outcomeOf({ outcome, device }: JournalRecord): "success" | "failure" {
  return outcome ?? (device === "new" ? "success" : "failure");
}

/** The name stays until another update succeeds: whoever wonders about it finds the reason here. */
function explainInconsistency({ logger, record }: Run, provides: Readonly<Record<string, string>>): void {
  logger.error(
    `nobody can say for certain what runs on this device now: it calls itself ${JSON.stringify(provides.artifact_name)} until an update succeeds, and artifacts that depend on another name do not fit until then. The reason: ${record.failure ?? "not known"}`,
  );
}

/** What the device provides from now on; `undefined` if that has not changed. */
function newProvides({ record, options }: Run): Readonly<Record<string, string>> | undefined {
  const { artifact } = record;
  if (artifact === null || record.device === "old") return undefined;
  const before = installedProvides(options.store);
  return record.device === "new"
    ? committedProvides(before, artifact)
    : inconsistentProvides(before, artifact, record.looped);
}

function setDevice({ record }: Run, device: DeviceSoftware): void {
  record.device = device === "old" && record.spoiled ? "unknown" : device;
}

function spoil({ record }: Run): void {
  record.spoiled = true;
  if (record.device === "old") record.device = "unknown";
}

function fail(run: Run, name: StateName, error: AgentError): void {
  run.record.failure ??= error.message;
  run.record.failureCode ??= error.code;
  const stack = error.code === "internal" && error.cause instanceof Error ? `\n${error.cause.stack}` : "";
  run.logger.error(`${name}: ${error.message}${stack}`);
}

function failed(run: Run, name: StateName, code: string, message: string): string {
  run.record.failure ??= message;
  run.record.failureCode ??= code;
  run.logger.error(`${name}: ${message}`);
  return "failed";
}

function aborted(run: Run): string {
  run.record.aborted = true;
  run.record.failure ??= "the server aborted the deployment";
  run.record.failureCode ??= "aborted";
  return "aborted";
}
