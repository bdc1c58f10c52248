import { AgentError } from "../errors.ts";
import type { DeploymentServer } from "../update/index.ts";
import type { DaemonEngine, DaemonServer } from "./daemon.ts";
import type { StatusBoard, Told } from "./status.ts";

/** The same server; the board is told whether it answers. */
export function observedServer<T extends DaemonServer & DeploymentServer>(
  server: T,
  board: StatusBoard,
): DaemonServer & DeploymentServer {
  const watch = async <R>(call: Promise<R>, what?: Told): Promise<R> => {
    try {
      const answer = await call;
      if (what === undefined) board.server(null);
      else board.told(what, null);
      return answer;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (what !== undefined && error.code === "request-refused") board.told(what, error.message);
      else board.server(error.message);
      throw error;
    }
  };
  return {
    get hasInventory() {
      return server.hasInventory;
    },
    poll: (provides, signal) => {
      board.activity("polling");
      return watch(server.poll(provides, signal), "poll");
    },
    sendInventory: (attributes, signal) => {
      board.activity("sending the inventory");
      return watch(server.sendInventory(attributes, signal), "inventory");
    },
    report: (deployment, status, signal) => watch(server.report(deployment, status, signal), "report"),
    sendLog: (deployment, messages, signal) => watch(server.sendLog(deployment, messages, signal), "log"),
    loginAfresh: (signal) => watch(server.loginAfresh(signal)),
    instructionsOf: (deployment, provides, signal) =>
      watch(server.instructionsOf(deployment, provides, signal), "poll"),
    download: (instructions, signal, reachedBytes) => server.download(instructions, signal, reachedBytes),
  };
}

/** The same engine; the board is told what it works on. */
export function observedEngine(
  engine: DaemonEngine & {
    readonly pending:
      | { readonly deployment: string | undefined; readonly artifactName: string | undefined }
      | undefined;
  },
  board: StatusBoard,
): DaemonEngine {
  return {
    runDeployment: (instructions, signal) => {
      board.updating(instructions.id, instructions.artifact.artifact_name ?? null);
      return engine.runDeployment(instructions, signal);
    },
    resume: (signal) => {
      const { pending } = engine;
      if (pending?.deployment !== undefined) board.updating(pending.deployment, pending.artifactName ?? null);
      return engine.resume(signal);
    },
  };
}
