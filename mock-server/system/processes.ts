import type { Processes, RunningProcess, SignalName } from "@upkeep/shared/system";
import { refused } from "./faults.ts";

/** Signals sent to the server. It starts no programs of its own. */
export class NodeProcesses implements Processes {
  start(): Promise<RunningProcess> {
    return Promise.reject(refused("starts no other programs"));
  }

  onSignal(name: SignalName, action: () => void): () => void {
    process.on(name, action);
    return () => process.off(name, action);
  }
}
