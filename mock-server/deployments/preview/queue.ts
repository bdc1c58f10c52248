import { type DeviceInventory, lookupIn } from "../../devices/attributes.ts";
import type { DeploymentRecord, Records } from "../../storage/index.ts";
import type { QueuedDeployment } from "../../storage/queues.ts";
import { admits } from "../selection/membership.ts";

/** The deployment that a device gets next. */
export interface Queued {
  readonly id: string;
  readonly sequence: number;
}

/** Tells what each device gets next. */
export type Queue = (device: DeviceInventory) => Queued | undefined;

/** Reads the queues of many devices at once; the selection reads that of the one device which polls. */
export async function readQueues(records: Records, devices: readonly DeviceInventory[]): Promise<Queue> {
  const ids = devices.map(({ id }) => id);
  const open = new Map<string, QueuedDeployment[]>();
  for (const row of await records.queues.open(ids)) {
    open.set(row.device_id, [...(open.get(row.device_id) ?? []), row]);
  }
  const lastFinished = await records.queues.lastFinished(ids);
  const dynamic = await records.queues.openDynamic();
  const part = await records.queues.takingPart(
    dynamic.map(({ id }) => id),
    ids,
  );
  const takesPart = new Set(part.map(({ deployment_id, device_id }) => `${deployment_id} ${device_id}`));
  return (device) =>
    firstInLine(device, {
      open: open.get(device.id) ?? [],
      dynamic: dynamic.filter(({ id }) => !takesPart.has(`${id} ${device.id}`)),
      lastFinished: lastFinished.get(device.id) ?? 0,
    });
}

/** The oldest deployment for the device; as the selection has it, older than the last finished do not count. */
function firstInLine(
  device: DeviceInventory,
  of: {
    readonly open: readonly QueuedDeployment[];
    /** Those that the device takes no part in yet. */
    readonly dynamic: readonly DeploymentRecord[];
    readonly lastFinished: number;
  },
): Queued | undefined {
  const lookup = lookupIn(device);
  const target = of.open.find(
    (row) => row.sequence > of.lastFinished && (row.admitted === 1 || row.filter_json === null || admits(row, lookup)),
  );
  const matching = of.dynamic.find((one) => one.sequence > of.lastFinished && admits(one, lookup));
  if (target !== undefined && (matching === undefined || target.sequence < matching.sequence)) {
    return { id: target.deployment_id, sequence: target.sequence };
  }
  return matching;
}
