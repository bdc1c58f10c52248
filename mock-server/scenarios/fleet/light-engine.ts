import type { DeploymentInstructions, LogMessage, ReportedStatus } from "@upkeep/shared/protocol";
import type { System } from "@upkeep/shared/system";
import {
  AgentError,
  type AgentParts,
  type BackoffSchedule,
  type DeploymentFinished,
  type DeploymentResult,
  type DeploymentServer,
  pauseBeforeRetry,
} from "upkeep/index.ts";
import { drawn } from "./distributions.ts";
import type { FleetFigures } from "./figures.ts";
import type { FleetBoard } from "./fleet-board.ts";
import type { FleetPlan } from "./plan.ts";

/** Interval at which the agent repeats its status while it downloads or installs, to learn of an abort. */
const ABORT_CHECK_MS = 60_000;

/** The states in which updates fail. */
const FAULTS = ["download", "install", "reboot"] as const;

export interface LightEngineParts {
  readonly system: Pick<System, "clock" | "timers" | "random">;
  readonly server: DeploymentServer;
  readonly store: AgentParts["store"];
  readonly plan: FleetPlan;
  readonly figures: FleetFigures;
  readonly board: FleetBoard;
}

type Outcome = { readonly kind: "success" | "aborted" } | { readonly kind: "failure"; readonly reason: string };

const ABORTED: Outcome = { kind: "aborted" };

type Engine = AgentParts["engine"];

/**
 * Carries out deployments as the server sees them: it sends the requests of the agent's engine, downloads the artifact
 * and discards it, and waits for the times of installation and reboot. No disk, no modules.
 */
export class LightEngine implements Engine {
  readonly #parts: LightEngineParts;
  /** An outcome that is not reported yet. */
  #untold: DeploymentFinished | undefined;

  constructor(parts: LightEngineParts) {
    this.#parts = parts;
  }

  /** Nothing outlives the fleet, so no update is pending when a device starts. */
  get pending(): Engine["pending"] {
    return undefined;
  }

  async resume(signal: AbortSignal): Promise<DeploymentResult | undefined> {
    return this.#untold === undefined ? undefined : await this.#tell(this.#untold, signal);
  }

  async runDeployment(instructions: DeploymentInstructions, signal: AbortSignal): Promise<DeploymentResult> {
    const { figures, board, store } = this.#parts;
    figures.updateBegins();
    try {
      const outcome = await this.#carryOut(instructions, signal);
      figures.updateEnds(outcome.kind === "success" ? "succeeded" : outcome.kind === "failure" ? "failed" : "aborted");
      const artifactName = instructions.artifact.artifact_name;
      if (outcome.kind === "success" && artifactName !== undefined) {
        await store.save({ provides: { ...store.provides, artifact_name: artifactName } });
      }
      return await this.#tell(
        {
          kind: "finished",
          deployment: instructions.id,
          status: outcome.kind === "success" ? "success" : "failure",
          device: outcome.kind === "success" ? "new" : "old",
          artifactName,
          failure: outcome.kind === "failure" ? outcome.reason : undefined,
          reported: "pending",
        },
        signal,
      );
    } finally {
      board.moves("idle");
    }
  }

  /** The steps of an update, in the order of the engine's table. */
  async #carryOut(instructions: DeploymentInstructions, signal: AbortSignal): Promise<Outcome> {
    const { plan, board, system } = this.#parts;
    const { random } = system;
    const { id } = instructions;
    const fails = random.fraction() < plan.failures;
    const fault = fails ? FAULTS[Math.floor(random.fraction() * (plan.rebootMs === undefined ? 2 : 3))] : undefined;
    board.moves("downloading");
    if ((await this.#mention(id, "downloading", signal)) === "aborted") return ABORTED;
    const downloaded = await this.#download(instructions, fault === "download", signal);
    if (downloaded.kind !== "success") return downloaded;
    board.moves("installing");
    if ((await this.#mention(id, "installing", signal)) === "aborted") return ABORTED;
    if (!(await this.#take(id, "installing", drawn(plan.installMs, random), signal))) return ABORTED;
    if (fault === "install") return { kind: "failure", reason: "the virtual device was to fail while it installs" };
    if (plan.rebootMs !== undefined) {
      if ((await this.#mention(id, "rebooting", signal)) === "aborted") return ABORTED;
      board.moves("rebooting");
      await system.timers.sleep(drawn(plan.rebootMs, random), signal);
      if (fault === "reboot")
        return { kind: "failure", reason: "the virtual device was to come back with the old one" };
    }
    return (await this.#prove(id, signal)) === "aborted" ? ABORTED : { kind: "success" };
  }

  async #download(instructions: DeploymentInstructions, fails: boolean, signal: AbortSignal): Promise<Outcome> {
    const { server, figures, system } = this.#parts;
    const now = (): number => system.clock.monotonic();
    try {
      const source = await server.download(instructions, signal);
      try {
        let checkedAt = now();
        let receivedBytes = 0;
        const failsAt = fails ? (source.sizeBytes ?? 0) * system.random.fraction() : Number.POSITIVE_INFINITY;
        for await (const chunk of source.content) {
          figures.downloaded(chunk.length);
          receivedBytes += chunk.length;
          if (receivedBytes >= failsAt) {
            return { kind: "failure", reason: "the virtual device was to fail while it downloads" };
          }
          if (now() - checkedAt < ABORT_CHECK_MS) continue;
          checkedAt = now();
          if ((await this.#mention(instructions.id, "downloading", signal)) === "aborted") return ABORTED;
        }
      } finally {
        await source.close();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AgentError)) throw error;
      return { kind: "failure", reason: error.message };
    }
    return { kind: "success" };
  }

  /** Waits while a status lasts. @returns False if the deployment was aborted meanwhile. */
  async #take(deployment: string, status: ReportedStatus, ms: number, signal: AbortSignal): Promise<boolean> {
    const { timers } = this.#parts.system;
    for (let left = ms; left > 0; left -= ABORT_CHECK_MS) {
      await timers.sleep(Math.min(left, ABORT_CHECK_MS), signal);
      if (left > ABORT_CHECK_MS && (await this.#mention(deployment, status, signal)) === "aborted") return false;
    }
    return true;
  }

  /** Sends a status once; of the answers only an abort matters. */
  async #mention(deployment: string, status: ReportedStatus, signal: AbortSignal): Promise<"aborted" | "done"> {
    try {
      return (await this.#parts.server.report(deployment, status, signal)) === "accepted" ? "done" : "aborted";
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AgentError)) throw error;
      return "done";
    }
  }

  /** Before the commit, the agent logs in again and reports, to prove that the new software reaches the server. */
  async #prove(deployment: string, signal: AbortSignal): Promise<"aborted" | "done"> {
    const { server } = this.#parts;
    const answer = await this.#insist(signal, async () => {
      await server.loginAfresh(signal);
      return await server.report(deployment, "installing", signal);
    });
    return answer === undefined || answer === "accepted" ? "done" : "aborted";
  }

  /** Sends the final status, and the log after a failure. */
  async #tell(result: DeploymentFinished, signal: AbortSignal): Promise<DeploymentFinished> {
    const { server, system } = this.#parts;
    this.#untold = result;
    const { deployment, status, failure } = result;
    const answer = await this.#insist(signal, async () => {
      const reported = await server.report(deployment, status, signal);
      if (reported === "accepted" && status === "failure") {
        const timestamp = new Date(system.clock.now()).toISOString();
        const message: LogMessage = { timestamp, level: "error", message: failure ?? "it failed" };
        await server.sendLog(deployment, [message], signal);
      }
      return reported;
    });
    if (answer === undefined) return result;
    this.#untold = undefined;
    return { ...result, reported: answer === "accepted" ? "accepted" : "aborted" };
  }

  /** @returns `undefined` if the work failed for now. */
  async #insist<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T | undefined> {
    const { system, plan } = this.#parts;
    const retries: BackoffSchedule = { longestMs: plan.retryMs, count: 0 };
    for (let made = 1; ; made++) {
      try {
        return await attempt();
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof AgentError)) throw error;
        const pauseMs = pauseBeforeRetry(retries, made, system.random.fraction(), error.retryAfterMs);
        if (pauseMs === undefined) return undefined;
        await system.timers.sleep(pauseMs, signal);
      }
    }
  }
}
