import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { type ManagementClient, ManagementError } from "./client.ts";

const DEVICES = "/api/management/v2/devauth/devices";
const PAGE = 500;
/** Concurrent requests: enough for the server to write several devices with one sync of its disk. */
const AT_ONCE = 64;

/** A device to accept. */
export interface DeviceToAccept {
  /** The identity data as the device sends them: a JSON text. */
  readonly identity: string;
  readonly publicPem: string;
}

const PendingDevices = z.array(
  z.object({
    id: z.string(),
    identity_data: recordOf(z.unknown()),
    auth_sets: z.array(z.object({ id: z.string(), pubkey: z.string(), status: z.string() })),
  }),
);

/** The same text for the same attributes in any order. */
function canonical(identity: Readonly<Record<string, unknown>>): string {
  // The server adds attributes of its own.
  const own = Object.entries(identity).filter(([name]) => name !== "status");
  return JSON.stringify(own.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function eachAtOnce<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await action(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}

/**
 * Accepts devices: preauthorises those that the server does not know, so that their first authorisation request gets
 * a token, and accepts those that are pending.
 * @param onDone Called after each device with the number of processed devices.
 * @throws ManagementError
 */
export async function acceptDevices(
  client: ManagementClient,
  devices: readonly DeviceToAccept[],
  onDone: (count: number) => void = () => undefined,
): Promise<void> {
  let done = 0;
  const known = new Set<string>();
  await eachAtOnce(devices, async ({ identity, publicPem }) => {
    const identityData = JSON.parse(identity) as Record<string, unknown>;
    const answer = await client.call("POST", DEVICES, { identity_data: identityData, pubkey: publicPem });
    if (answer.status === 409) known.add(canonical(identityData));
    else if (answer.status !== 201) throw new ManagementError("preauthorising a device", answer);
    onDone(++done);
  });
  if (known.size > 0) await acceptPending(client, known);
}

/** Accepts the pending authentication sets of `wanted` (canonical identities). */
async function acceptPending(client: ManagementClient, wanted: ReadonlySet<string>): Promise<void> {
  const sets: string[] = [];
  for (let page = 1; ; page++) {
    const path = `${DEVICES}?status=pending&page=${page}&per_page=${PAGE}`;
    const devices = PendingDevices.parse(await client.get(path));
    for (const { id, identity_data, auth_sets } of devices) {
      if (!wanted.has(canonical(identity_data))) continue;
      for (const set of auth_sets) if (set.status === "pending") sets.push(`${DEVICES}/${id}/auth/${set.id}/status`);
    }
    if (devices.length < PAGE) break;
  }
  await eachAtOnce(sets, async (path) => {
    const answer = await client.call("PUT", path, { status: "accepted" });
    if (answer.status !== 204) throw new ManagementError("accepting a device", answer);
  });
}
