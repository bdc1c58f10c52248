import { AgentError } from "../errors.ts";
import { unlessAborted } from "./abort-watch.ts";
import { ACTIONS } from "./actions.ts";
import { entering, softwareAfter } from "./journal.ts";
import { reportOutcome, reportStatus } from "./reporting.ts";
import { asAgentError, noteFailure, type Run, scriptsOf } from "./run.ts";
import { journalFailed, settle } from "./settlement.ts";
import { type Ending, type Outcome, restartOf, type State, type StateName, type Step, stateOf } from "./states.ts";

/** How a walk through the table ended. `Interrupted`: the program is to end, and the journal tells where to continue. */
export type WalkEnd = Ending | "Interrupted";

export interface WalkStart {
  readonly to: StateName;
  /** The journal holds this state already, written by this very program. */
  readonly journalled?: boolean;
}

/** Where a program that finds the run's record in the journal continues. Notes the failure if the interruption is one. */
export function walkStart({ record }: Pick<Run, "record">): WalkStart {
  const { position, origin } = record;
  if (position.kind === "stopped-before") return { to: position.state };
  const { to, failed } = restartOf(position.state, origin.mode);
  if (failed) {
    const message = `the agent was interrupted while ${stateOf(position.state).doing}`;
    record.failure ??= { code: "interrupted", message };
  }
  return { to };
}

/** Walk the table from a state to an ending. A fault in a state is an outcome of that state. */
export async function walk(run: Run, start: WalkStart): Promise<WalkEnd> {
  const { position } = run.record;
  let step: Step & { readonly journalled?: boolean } = start;
  // A state that has begun can no longer be stopped before. This one is re-entered by a restart after its act.
  let begun = start.to === "AfterArtifactCommit" && position.kind !== "stopped-before";
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
      step = typeof outcome === "string" ? nextStep(name, outcome) : outcome;
    } catch (error) {
      if (run.signal.aborted) return "Interrupted";
      throw error;
    }
    if (step.device !== undefined) run.record.software = softwareAfter(run.record.software, step.device);
  }
  return step.to;
}

function nextStep(name: StateName, outcome: Outcome): Step {
  const step = stateOf(name).next[outcome];
  // The table has a step for each outcome of its rows; only that this outcome is one of them is not known to the types.
  if (step === undefined) throw new TypeError(`state ${name} has no outcome ${outcome}`);
  return step;
}

/**
 * Write down that the update rests before a state.
 * @throws AgentError `journal-failed`; a restart continues from the state before then.
 */
async function stopBefore(run: Run, name: StateName): Promise<void> {
  const { record, options } = run;
  record.position = { kind: "stopped-before", state: name };
  try {
    await options.store.save({ update: record });
  } catch (error) {
    const message = journalFailed(run, name, error);
    throw new AgentError("journal-failed", `the journal cannot be written: ${message}`, { cause: error });
  }
  run.logger.debug(`stopped before the state ${name}, as it was asked for`);
}

/** Where the walk continues when the journal, and not the state, decides. */
type Detour = Pick<Step, "to">;

async function visit(
  run: Run,
  name: StateName,
  { bare, journalled }: { readonly bare?: true; readonly journalled?: boolean },
): Promise<Outcome | Detour> {
  const state = stateOf(name);
  run.options.onProgress?.({ kind: "state", state: name });
  run.logger.debug(`state ${name}: ${state.doing}`);
  const { report } = state;
  if (report !== undefined && report.status !== "outcome") {
    const answer = await reportStatus(run, report);
    if (answer === "aborted") return aborted(run);
    if (answer === "failed") return failed(run, name, "report-failed", "the server could not be told");
  }
  if (state.limited) {
    if (run.record.rollbackReboots >= run.options.settings.rollbackRebootsMax) return tooOften(run, name);
    run.record.rollbackReboots += 1;
  }
  if (!journalled) {
    const detour = await journal(run, name, state);
    if (detour !== undefined) return detour;
  }
  const act = (inner: Run): Promise<Outcome> => actWithScripts(inner, name, state, bare === true);
  if (report === undefined) return await act(run);
  if (report.status === "outcome") {
    // Its own failure is logged; the update ends as the server answers.
    await act(run);
    const answer = await reportOutcome(run);
    return answer === "aborted" ? aborted(run) : answer;
  }
  if (!report.repeated) return await act(run);
  const outcome = await unlessAborted(run, report.status, act);
  if (outcome !== undefined) return outcome;
  run.logger.warning(`stopped while ${state.doing}`);
  aborted(run);
  return "aborted-within";
}

function tooOften(run: Run, name: StateName): Outcome {
  const { rollbackReboots } = run.record;
  const message = `what ran before did not come back within ${rollbackReboots} reboots, so no more are made`;
  failed(run, name, "rollback-reboots", message);
  return "too-often";
}

async function actWithScripts(run: Run, name: StateName, state: State, bare: boolean): Promise<Outcome> {
  const runSet = async (set: string | undefined): Promise<boolean> => {
    if (set === undefined || hasNoScripts(run)) return true;
    try {
      await scriptsOf(run).run(set, state.lenient);
      return true;
    } catch (error) {
      run.signal.throwIfAborted();
      noteFailure(run, name, asAgentError(error));
      if (state.lenient) run.record.software = "rollback-uncertain";
      return false;
    }
  };
  const failedNow = async (): Promise<Outcome> => {
    await runSet(state.error);
    return "failed";
  };

  if (!bare && !(await runSet(state.enter)) && !state.lenient) return await failedNow();
  let outcome: Outcome;
  try {
    outcome = await ACTIONS[name](run);
  } catch (error) {
    run.signal.throwIfAborted();
    noteFailure(run, name, asAgentError(error));
    if (!state.lenient) return await failedNow();
    if (state.leaveAlways) await runSet(state.leave);
    return "failed";
  }
  if (await runSet(state.leave)) return outcome;
  if (!state.lenient) return await failedNow();
  await runSet(state.error);
  return outcome;
}

/** An empty payload installed by hand changes only the device's provides, so no script runs. */
function hasNoScripts({ record, opened }: Run): boolean {
  const type = record.artifact === null ? opened?.payload.typeInfo.type : record.artifact.payloadType;
  return record.origin.mode === "standalone" && type === null;
}

/** Write the journal before the state acts. @returns Where to continue instead of acting, if not in the state. */
async function journal(run: Run, name: StateName, state: State): Promise<"failed" | Detour | undefined> {
  if (state.journal === "no") return undefined;
  const { record } = run;
  const { store, settings } = run.options;
  record.visits += 1;
  if (record.visits > settings.stateVisitsMax && name !== "Report") {
    run.logger.error(`the update entered more than ${settings.stateVisitsMax} states: it is given up as a loop`);
    return await giveUp(run, name);
  }
  record.position = entering(name, record.position);
  if (state.device !== undefined) record.software = softwareAfter(record.software, state.device);
  // An update that was given up may come to its report before its outcome could be written down.
  if (state.journal === "settle" || (name === "Report" && record.outcome === null)) {
    if (await settle(run, name)) return undefined;
    // The state is entered again until the outcome can be written: that is no loop.
    record.visits -= 1;
    return { to: "Waiting" };
  }
  await run.log?.flush();
  try {
    await store.save({ update: record });
    return undefined;
  } catch (error) {
    const message = journalFailed(run, name, error);
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
 * A reboot that cannot be counted in the journal must not repeat without a pause: the device would reboot for ever. It
 * is made in the end, because the device may be unreachable until it has gone back.
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

/** End an update that entered too many states, without calling anything that belongs to the update. */
async function giveUp(run: Run, name: StateName): Promise<Detour> {
  const { record } = run;
  if (record.outcome === null) {
    // A download that is interrupted again and again has changed nothing.
    if (name !== "Download") record.software = "loop";
    record.failure ??= {
      code: "state-loop",
      message: "the update went through too many states and was given up as a loop",
    };
  }
  record.position = { kind: "entered", state: "Report" };
  return { to: (await settle(run, "Report")) ? "Report" : "Waiting" };
}

/** Note a failure that is not an error of the state's action. */
function failed(run: Run, name: StateName, code: string, message: string): "failed" {
  noteFailure(run, name, new AgentError(code, message));
  return "failed";
}

function aborted({ record }: Run): "aborted" {
  if (record.origin.mode === "deployment") record.origin = { ...record.origin, standing: "aborted" };
  record.failure ??= { code: "aborted", message: "the server aborted the deployment" };
  return "aborted";
}
