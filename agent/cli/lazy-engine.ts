import type { DaemonEngine } from "../daemon/daemon.ts";
import type { PendingUpdate, UpdateEngine } from "../update/index.ts";
import { deploymentOf } from "../update/journal.ts";
import type { Agent } from "./agent.ts";
import type { EngineParts } from "./engine.ts";

/**
 * The update engine, loaded when there is something for it to do: most of its life a daemon only asks whether
 * there is, and a device has better uses for the memory.
 */
export function lazyEngine(
  agent: Agent,
  parts: EngineParts,
): DaemonEngine & { readonly pending: Pick<PendingUpdate, "deployment" | "artifactName"> | undefined } {
  const { store } = agent;
  let loaded: UpdateEngine | undefined;
  const load = async (): Promise<UpdateEngine> => {
    loaded ??= await (await import("./engine.ts")).createEngine(agent, parts);
    return loaded;
  };
  return {
    get pending() {
      if (loaded !== undefined) return loaded.pending;
      const { update } = store;
      return update && { deployment: deploymentOf(update) ?? undefined, artifactName: update.artifact?.name };
    },
    runDeployment: async (instructions, signal) => (await load()).runDeployment(instructions, signal),
    resume: async (signal) => {
      if (loaded === undefined) await store.recover();
      return loaded === undefined && store.update === undefined ? undefined : (await load()).resume(signal);
    },
  };
}
