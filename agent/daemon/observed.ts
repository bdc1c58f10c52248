import type { DeploymentInstructions, DeviceProvides, InventoryAttribute, LogMessage } from "@upkeep/shared/protocol";
import { AgentError } from "../errors.ts";
import type { ArtifactSource, DeploymentResult, DeploymentServer, ReportAnswer } from "../update/index.ts";
import type { DaemonEngine, DaemonServer } from "./daemon.ts";
import type { Board, Told } from "./status.ts";

/** Tells the status board how the server answers. */
export class ObservedServer<Server extends DaemonServer & DeploymentServer> implements DaemonServer, DeploymentServer {
  readonly #server: Server;
  readonly #board: Board;
  readonly ranges: DeploymentServer["ranges"];

  constructor(server: Server, board: Board) {
    this.#server = server;
    this.#board = board;
    this.ranges = server.ranges?.bind(server);
  }

  get hasInventory(): boolean {
    return this.#server.hasInventory;
  }

  poll(provides: DeviceProvides, signal?: AbortSignal): Promise<DeploymentInstructions | undefined> {
    this.#board.activity("polling");
    return this.#watch(this.#server.poll(provides, signal), "poll");
  }

  sendInventory(attributes: readonly InventoryAttribute[], signal?: AbortSignal): Promise<boolean> {
    this.#board.activity("sending the inventory");
    return this.#watch(this.#server.sendInventory(attributes, signal), "inventory");
  }

  report(...parts: Parameters<DeploymentServer["report"]>): Promise<ReportAnswer> {
    return this.#watch(this.#server.report(...parts), "report");
  }

  sendLog(deployment: string, messages: readonly LogMessage[], signal?: AbortSignal): Promise<"accepted" | "refused"> {
    return this.#watch(this.#server.sendLog(deployment, messages, signal), "log");
  }

  loginAfresh(signal?: AbortSignal): Promise<void> {
    return this.#watch(this.#server.loginAfresh(signal));
  }

  instructionsOf(
    deployment: string,
    provides: DeviceProvides,
    signal?: AbortSignal,
  ): Promise<DeploymentInstructions | undefined> {
    return this.#watch(this.#server.instructionsOf(deployment, provides, signal), "poll");
  }

  download(instructions: DeploymentInstructions, signal?: AbortSignal, reachedBytes?: number): Promise<ArtifactSource> {
    return this.#server.download(instructions, signal, reachedBytes);
  }

  async #watch<Answer>(call: Promise<Answer>, what?: Told): Promise<Answer> {
    try {
      const answer = await call;
      if (what === undefined) this.#board.server(null);
      else this.#board.told(what, null);
      return answer;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (what !== undefined && error.code === "request-refused") this.#board.told(what, error.message);
      else this.#board.server(error.message);
      throw error;
    }
  }
}

/** An engine that names its pending update. */
export interface PendingEngine extends DaemonEngine {
  readonly pending: { readonly deployment: string | undefined; readonly artifactName: string | undefined } | undefined;
}

/** Tells the status board what the engine works on. */
export class ObservedEngine implements DaemonEngine {
  readonly #engine: PendingEngine;
  readonly #board: Board;
  readonly #onRest: ((isOver: boolean) => void) | undefined;

  /** @param onRest Called after each call of the engine: whether its update is over, or is to be resumed. */
  constructor(engine: PendingEngine, board: Board, onRest?: (isOver: boolean) => void) {
    this.#engine = engine;
    this.#board = board;
    this.#onRest = onRest;
  }

  runDeployment(instructions: DeploymentInstructions, signal: AbortSignal): Promise<DeploymentResult> {
    this.#board.updating(instructions.id, instructions.artifact.artifact_name ?? null);
    return this.#untilRest(this.#engine.runDeployment(instructions, signal));
  }

  resume(signal: AbortSignal): Promise<DeploymentResult | undefined> {
    const { pending } = this.#engine;
    if (pending?.deployment !== undefined) this.#board.updating(pending.deployment, pending.artifactName ?? null);
    return this.#untilRest(this.#engine.resume(signal));
  }

  async #untilRest<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } finally {
      this.#onRest?.(this.#engine.pending === undefined);
    }
  }
}
