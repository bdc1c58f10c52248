import { given } from "@upkeep/shared/given";
import type { DeploymentInstructions } from "@upkeep/shared/protocol";
import { AgentError } from "../errors.ts";
import { DeploymentLog } from "./deployment-log.ts";
import { type JournalRecord, newRecord } from "./journal.ts";
import { outcomeOf, type WalkEnd, type WalkStart, walk } from "./machine.ts";
import type { ArtifactSource } from "./ports.ts";
import type { DeploymentResult, Interrupted, PendingUpdate, StandaloneResult } from "./results.ts";
import { asAgentError, type EngineOptions, type Run } from "./run.ts";
import {
  commitStandalone,
  installStandalone,
  resumeStandalone,
  rollbackStandalone,
  type StandaloneSteps,
  whereabouts,
} from "./standalone.ts";
import { type StateName, stateOf } from "./states.ts";
import type { LastUpdate } from "./store.ts";

export type { EngineOptions } from "./run.ts";

/**
 * A signal that is never aborted. A new one each time: what hangs on it goes with it, also where a simulation stops in
 * the middle and nothing is ever taken off.
 */
const never = (): AbortSignal => new AbortController().signal;

/** States before which an update by hand is to stop. */
type Stops = ReadonlySet<StateName>;
const NOWHERE: Stops = new Set();

/**
 * Brings updates to their end, whatever happens to the program on the way.
 *
 * INVARIANTS. One update at a time. What it does next is in the journal before it does it. The outcome of an
 * update is fixed once, together with the device's provides; only that outcome is ever reported. Aborting
 * the signal of a call stops it at once and leaves the journal as it is.
 */
export class UpdateEngine {
  readonly #options: EngineOptions;
  #busy = false;
  /** The journal's record of an update that is over, which could not be written down: it stands for nothing any more. */
  #over: { readonly record: JournalRecord | undefined; readonly last: LastUpdate } | undefined;
  /** A deployment that waits for its server, or for a store that can be written. */
  #waiting: { readonly run: Run; readonly start: WalkStart } | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** The update that has begun and not come to its end. */
  get pending(): PendingUpdate | undefined {
    const record = this.#waiting?.run.record ?? this.#journalled;
    if (record === undefined) return undefined;
    return {
      mode: record.mode,
      deployment: record.deployment ?? undefined,
      artifactName: record.artifact?.name,
      state: record.state,
      whereabouts: whereabouts(record),
    };
  }

  /** The update that the journal holds, unless it is over. */
  get #journalled(): JournalRecord | undefined {
    const record = this.#options.store.update;
    return record === this.#over?.record ? undefined : record;
  }

  /**
   * Carry out a deployment that the server offered.
   * @throws AgentError `update-in-progress`; nothing was done then. All else is in the result.
   */
  runDeployment(instructions: DeploymentInstructions, signal: AbortSignal = never()): Promise<DeploymentResult> {
    return this.#alone(async () => {
      this.#demandNonePending();
      const run = await this.#deploymentRun(
        newRecord("deployment", instructions.id, this.#options.system.clock.now()),
        signal,
        instructions,
      );
      run.logger.info(`deployment ${instructions.id} begins`);
      return await this.#walkDeployment(run, { to: "Download" });
    });
  }

  /**
   * Go on with a deployment that a restart, a power cut or an unreachable server interrupted. To be called at
   * start and before the server is asked for anything new.
   * @returns `undefined` if there is none (a standalone update waits for a person).
   */
  resume(signal: AbortSignal = never()): Promise<DeploymentResult | undefined> {
    return this.#alone(async () => {
      const waiting = this.#waiting;
      if (waiting !== undefined) {
        this.#waiting = undefined;
        const { record: waited, rebootHeldSinceMs } = waiting.run;
        const run: Run = {
          ...(await this.#deploymentRun(waited, signal)),
          ...given({ rebootHeldSinceMs }),
        };
        return await this.#walkDeployment(run, waiting.start);
      }
      await this.#options.store.recover();
      if (this.#over !== undefined) await this.#forgetAtLast();
      const record = this.#journalled;
      if (record === undefined || record.mode !== "deployment") return undefined;
      const run = await this.#deploymentRun(structuredClone(record), signal);
      run.logger.info(`going on with deployment ${record.deployment}, which was interrupted in state ${record.state}`);
      return await this.#walkDeployment(run, restartOf(run.record));
    });
  }

  /**
   * Install an artifact by hand. Stops for `commit` or `rollback` if the update module can roll back, and before
   * each state of `stops`.
   * @throws AgentError `update-in-progress`; nothing was done then.
   */
  install(source: ArtifactSource, signal: AbortSignal = never(), stops: Stops = NOWHERE): Promise<StandaloneResult> {
    return this.#alone(async () => {
      try {
        await this.#finishHarmless(signal);
        this.#demandNonePending();
      } catch (error) {
        await source.close();
        throw error;
      }
      return await installStandalone(this.#steps(signal, stops), source);
    });
  }

  /** Go on with an update by hand that was stopped, interrupted or waits for its commit. */
  resumeInstall(signal: AbortSignal = never(), stops: Stops = NOWHERE): Promise<StandaloneResult> {
    return this.#alone(() => resumeStandalone(this.#steps(signal, stops)));
  }

  /** Commit what was installed by hand. */
  commit(signal: AbortSignal = never(), stops: Stops = NOWHERE): Promise<StandaloneResult> {
    return this.#alone(() => commitStandalone(this.#steps(signal, stops)));
  }

  /** Roll back what was installed by hand and not committed. */
  rollback(signal: AbortSignal = never(), stops: Stops = NOWHERE): Promise<StandaloneResult> {
    return this.#alone(() => rollbackStandalone(this.#steps(signal, stops)));
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new AgentError("update-in-progress", "an update is being worked on");
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }

  #demandNonePending(): void {
    const { pending } = this;
    if (pending === undefined) return;
    const which = pending.mode === "deployment" ? `deployment ${pending.deployment}` : "an update installed by hand";
    const artifact = pending.artifactName === undefined ? "" : ` of artifact ${JSON.stringify(pending.artifactName)}`;
    throw new AgentError(
      "update-in-progress",
      `${which}${artifact} has not come to its end: it is ${pending.whereabouts}`,
    );
  }

  /** An update by hand that was interrupted before it changed anything, or after it was over, stops nobody. */
  async #finishHarmless(signal: AbortSignal): Promise<void> {
    const record = this.#journalled;
    if (record === undefined || record.mode !== "standalone" || record.stopped) return;
    const { to } = restartOf(structuredClone(record));
    if (to !== "Cleanup" && to !== "Report") return;
    await this.#steps(signal).walk(structuredClone(record), restartOf);
  }

  #steps(signal: AbortSignal, stops: Stops = NOWHERE): StandaloneSteps {
    const options = this.#options;
    return {
      options,
      signal,
      walk: async (record, startOf, opened) => {
        const run: Run = {
          options,
          record,
          logger: options.logger,
          log: undefined,
          signal,
          instructions: undefined,
          opened,
          stops,
        };
        const end = await walk(run, startOf(record));
        if (end === "Idle") await this.#forget(run);
        return end;
      },
      restartOf,
    };
  }

  async #deploymentRun(
    record: JournalRecord,
    signal: AbortSignal,
    instructions?: DeploymentInstructions,
  ): Promise<Run> {
    const { system, paths, logger } = this.#options;
    const log = await DeploymentLog.open({
      files: system.files,
      clock: system.clock,
      directory: paths.logs,
      deployment: record.deployment ?? "",
      outer: logger.with({ deployment: record.deployment }),
    });
    return { options: this.#options, record, logger: log.logger, log, signal, instructions, opened: undefined };
  }

  async #walkDeployment(run: Run, start: WalkStart): Promise<DeploymentResult> {
    try {
      return await this.#endOf(run, await walk(run, start));
    } finally {
      await run.log?.close();
    }
  }

  async #endOf(run: Run, end: WalkEnd): Promise<DeploymentResult> {
    const { record } = run;
    if (end === "Interrupted") {
      run.logger.info(`stopped in state ${record.state}; the next start goes on from there`);
      return { kind: "interrupted", state: record.state } satisfies Interrupted;
    }
    if (end === "Waiting") {
      const journalled = this.#options.store.update?.state === record.state;
      this.#waiting = { run, start: { to: record.state, journalled } };
    } else {
      await this.#forget(run);
    }
    return {
      kind: "finished",
      deployment: record.deployment ?? "",
      status: outcomeOf(record),
      device: record.device,
      artifactName: record.artifact?.name,
      failure: record.failure ?? undefined,
      reported: end === "Waiting" ? "pending" : record.aborted ? "aborted" : "accepted",
      ...(record.outcome === null && { unwritten: run.journalFault ?? "the journal cannot be written" }),
    };
  }

  /**
   * The update is over. If that cannot be written down, it stands in nobody's way: the next update takes its
   * place in the journal. Until then a restart says the same things once more.
   */
  async #forget(run: Run): Promise<void> {
    const { store, system } = this.#options;
    const last = lastOf(run.record, system.clock.now());
    try {
      await store.save({ update: null, last });
      this.#over = undefined;
    } catch (error) {
      this.#over = { record: store.update, last };
      run.logger.error(`cannot write down that the update is over: ${asAgentError(error).message}`);
    }
  }

  async #forgetAtLast(): Promise<void> {
    const { store, logger } = this.#options;
    const over = this.#over;
    if (over !== undefined && store.update === over.record) {
      try {
        await store.save({ update: null, last: over.last });
      } catch (error) {
        logger.error(`still cannot write down that the last update is over: ${asAgentError(error).message}`);
        return;
      }
    }
    this.#over = undefined;
  }
}

/** What is kept of an update that is over. */
function lastOf(record: JournalRecord, endedMs: number): LastUpdate {
  const { mode, deployment, artifact, device, failure, outcome } = record;
  return {
    mode,
    deployment,
    artifactName: artifact?.name ?? null,
    status: outcome ?? "failure",
    device,
    failure: outcome === "success" ? null : failure,
    endedMs,
  };
}

/** Where a program that finds `record` in the journal goes on. Notes in the record why it failed, if it thereby did. */
function restartOf(record: JournalRecord): WalkStart {
  if (record.stopped) return { to: record.state };
  const state = stateOf(record.state);
  const to = (record.mode === "standalone" ? state.restartByHand : undefined) ?? state.restart;
  if (to === undefined) throw new TypeError(`state ${record.state} is never journalled`);
  if (to === state.next.failed?.to) {
    record.failure ??= `the agent was interrupted while ${state.doing}`;
    record.failureCode ??= "interrupted";
  }
  return { to };
}
