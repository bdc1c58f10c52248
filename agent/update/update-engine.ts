import { given } from "@upkeep/shared/given";
import type { DeploymentInstructions } from "@upkeep/shared/protocol";
import { AgentError } from "../errors.ts";
import type { ArtifactSource } from "../server/deployment-server.ts";
import { DeploymentLog } from "./deployment-log.ts";
import { deploymentOf, deviceSoftware, type JournalRecord, newRecord } from "./journal.ts";
import { type WalkEnd, type WalkStart, walk, walkStart } from "./machine.ts";
import type { DeploymentResult, Interrupted, PendingUpdate, StandaloneResult } from "./results.ts";
import { asAgentError, type EngineOptions, type Run } from "./run.ts";
import { outcomeOf } from "./settlement.ts";
import {
  commitStandalone,
  finishUndecidable,
  installStandalone,
  resumeStandalone,
  rollbackStandalone,
  type StandaloneContext,
} from "./standalone.ts";
import { isReboot, stateOf } from "./states.ts";
import { type Stops, whereabouts } from "./stops.ts";
import type { LastUpdate } from "./store.ts";

export type { EngineOptions } from "./run.ts";

/**
 * A signal that is never aborted. Each call makes a new one: a simulation stops calls in the middle, and their listeners
 * would stay on a shared signal.
 */
const never = (): AbortSignal => new AbortController().signal;

const NOWHERE: Stops = new Set();

/**
 * Brings updates to their end, also after the program was interrupted at any instant.
 *
 * INVARIANTS. One update at a time. What it does next is in the journal before it does it. The outcome of an
 * update is fixed once, together with the device's provides; only that outcome is ever reported. Aborting
 * the signal of a call stops it at once and leaves the journal as it is.
 */
export class UpdateEngine {
  readonly #options: EngineOptions;
  #busy = false;
  /** An update that is over, but whose end could not be written down: the store still holds this record of it. */
  #over: { readonly record: JournalRecord | undefined; readonly last: LastUpdate } | undefined;
  /** A deployment that waits for its server, or until the store can be written. */
  #waiting: { readonly run: Run; readonly start: WalkStart } | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** The update that has begun and not ended. */
  get pending(): PendingUpdate | undefined {
    const record = this.#waiting?.run.record ?? this.#journalled;
    if (record === undefined) return undefined;
    return {
      mode: record.origin.mode,
      deployment: deploymentOf(record) ?? undefined,
      artifactName: record.artifact?.name,
      state: record.position.state,
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
   * @throws AgentError `update-in-progress`; nothing was done then. Other failures are in the result.
   */
  runDeployment(instructions: DeploymentInstructions, signal: AbortSignal = never()): Promise<DeploymentResult> {
    return this.#alone(async () => {
      this.#demandNonePending();
      const run = await this.#deploymentRun(
        newRecord({ mode: "deployment", id: instructions.id, standing: "open" }, this.#options.system.clock.now()),
        signal,
        instructions,
      );
      run.logger.info(`deployment ${instructions.id} begins`);
      return await this.#walkDeployment(run, { to: "Download" });
    });
  }

  /**
   * Continue a deployment that a restart, a power cut or an unreachable server interrupted. To be called at start and
   * before each poll.
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
      if (record?.origin.mode !== "deployment") return undefined;
      const run = await this.#deploymentRun(structuredClone(record), signal);
      const { state } = record.position;
      const how = isReboot(state) ? "after its reboot" : `which was interrupted in state ${state}`;
      run.logger.info(`going on with deployment ${record.origin.id}, ${how}`);
      const start = walkStart(run);
      if (record.failure === null && run.record.failure !== null) run.logger.error(run.record.failure.message);
      return await this.#walkDeployment(run, start);
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
        const record = this.#journalled;
        if (record !== undefined) await finishUndecidable(this.#byHand(signal, NOWHERE), record);
        this.#demandNonePending();
      } catch (error) {
        await source.close();
        throw error;
      }
      return await installStandalone(this.#byHand(signal, stops), source);
    });
  }

  /** Continue an update by hand that was stopped, interrupted or waits for its commit. */
  resumeInstall(signal: AbortSignal = never(), stops: Stops = NOWHERE): Promise<StandaloneResult> {
    return this.#alone(() => resumeStandalone(this.#byHand(signal, stops)));
  }

  /** Commit what was installed by hand. */
  commit(signal: AbortSignal = never(), stops: Stops = NOWHERE): Promise<StandaloneResult> {
    return this.#alone(() => commitStandalone(this.#byHand(signal, stops)));
  }

  /** Roll back what was installed by hand and not committed. */
  rollback(signal: AbortSignal = never(), stops: Stops = NOWHERE): Promise<StandaloneResult> {
    return this.#alone(() => rollbackStandalone(this.#byHand(signal, stops)));
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

  #byHand(signal: AbortSignal, stops: Stops): StandaloneContext {
    return { options: this.#options, signal, stops, onOver: (run) => this.#forget(run) };
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
      deployment: deploymentOf(record) ?? "",
      outer: logger.with({ deployment: deploymentOf(record) }),
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
    const { origin, position } = record;
    if (end === "Interrupted") {
      const { to } = walkStart({ record: structuredClone(record) });
      run.logger.info(`stopped while ${stateOf(position.state).doing}; the next start goes on by ${stateOf(to).doing}`);
      return { kind: "interrupted", state: position.state } satisfies Interrupted;
    }
    if (end === "Waiting") {
      const journalled = this.#options.store.update?.position.state === position.state;
      this.#waiting = { run, start: { to: position.state, journalled } };
    } else {
      await this.#forget(run);
    }
    const aborted = origin.mode === "deployment" && origin.standing === "aborted";
    return {
      kind: "finished",
      deployment: deploymentOf(record) ?? "",
      status: outcomeOf(record),
      device: deviceSoftware(record),
      artifactName: record.artifact?.name,
      failure: record.failure?.message,
      reported: end === "Waiting" ? "pending" : aborted ? "aborted" : "accepted",
      ...(record.outcome === null && { unwritten: run.journalFault ?? "the journal cannot be written" }),
    };
  }

  /**
   * Write down that the update is over. If that fails, the next update may begin all the same and replaces it in the
   * journal; a restart before that reports its outcome once more.
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

/** The summary of an update that is over. */
function lastOf(record: JournalRecord, endedMs: number): LastUpdate {
  const { origin, artifact, failure, outcome, transfer } = record;
  return {
    mode: origin.mode,
    deployment: deploymentOf(record),
    artifactName: artifact?.name ?? null,
    status: outcome ?? "failure",
    device: deviceSoftware(record),
    failure: outcome === "success" ? null : (failure?.message ?? null),
    endedMs,
    ...given({ transfer }),
  };
}
