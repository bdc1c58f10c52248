import type { Records, Storage } from "../../storage/index.ts";
import { pipeline } from "../../storage/statement.ts";
import { isComplete } from "../device-deployment/lifecycle.ts";
import { dismissUnadmitted } from "./pending-ends.ts";

/**
 * Finishes the deployment after the commit of this transaction, if that ended the last of its devices: devices that end
 * at the same time do not see each other's ends before. Housekeeping finishes it if the process dies in between.
 */
export function finishAfterCommit(records: Records, id: string, nowMs: number): void {
  records.afterCommit.add(`finish ${id}`, (storage) => finishIfComplete(storage, id, nowMs));
}

/** Finishes the deployment if enough of its devices have ended. */
export async function finishIfComplete(storage: Storage, id: string, nowMs: number): Promise<void> {
  if (!(await storage.read((records) => hasEnded(records, id)))) return;
  await storage.transaction(async (records) => {
    if (!(await hasEnded(records, id))) return;
    await records.deployments.setStatus(id, "finished", nowMs);
    const deployment = await records.deployments.find(id);
    if (deployment?.dynamic === 1) await dismissUnadmitted(records, deployment);
  });
}

/** Finishes deployments whose last device ended in a process that died then. */
export async function finishAllComplete(storage: Storage, nowMs: number): Promise<void> {
  for (const id of await storage.read(({ deployments }) => deployments.unfinished())) {
    await finishIfComplete(storage, id, nowMs);
  }
}

/** True of an unfinished deployment in which enough devices have ended. */
async function hasEnded(records: Records, id: string): Promise<boolean> {
  const [deployment, statistics] = await pipeline([
    records.deployments.findStatement(id),
    records.counters.ofStatement(id),
  ]);
  return deployment !== undefined && deployment.status !== "finished" && isComplete(deployment, statistics);
}
