import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Program, startProgram } from "../support/program.ts";
import type { RunningServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";
import { type ClientName, DAEMONS } from "./clients.ts";

/** Memory of one process that waits for its next poll. */
export interface IdleMeasurement {
  /** Resident, pages shared with other processes included. */
  readonly residentKiB: number;
  /** Resident, each shared page divided among those who share it. */
  readonly proportionalKiB: number;
}

const CONFIG = { UpdatePollIntervalSeconds: 1800, InventoryPollIntervalSeconds: 28_800, RetryPollIntervalSeconds: 5 };

function memoryOf({ child: { pid } }: Program): IdleMeasurement {
  const field = (file: string, name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))?.[1]);
  return { residentKiB: field("status", "VmRSS"), proportionalKiB: field("smaps_rollup", "Pss") };
}

/** Wait until the device has sent its inventory: by then it has logged in and polled, too. */
async function inventoryOf({ management }: RunningServer, device: string, daemon: Program): Promise<void> {
  const path = `/api/management/v1/inventory/devices/${device}`;
  const sent = async (): Promise<true | undefined> => {
    const { attributes } = await management.json<{ attributes: readonly { name: string }[] }>(path);
    return attributes.some(({ name }) => name === "device_type") ? true : undefined;
  };
  await until(`the inventory of ${device} has arrived`, sent, { explain: daemon.output });
}

/**
 * All at the same time: each client's daemon, which has logged in, polled and sent its inventory, and a bare node
 * process that waits on a timer.
 */
export async function measureIdle(
  clients: readonly ClientName[],
  { folder, server, settleSeconds }: { folder: string; server: RunningServer; settleSeconds: number },
): Promise<Readonly<Record<string, IdleMeasurement>>> {
  const programs = new Map<string, Program>();
  programs.set("node", startProgram(process.execPath, ["-e", "setTimeout(() => {}, 2 ** 30)"]));
  try {
    for (const [index, client] of clients.entries()) {
      const mac = `02:00:5e:00:53:2${index}`;
      const daemon = DAEMONS[client]({
        folder: join(folder, `idle-${client}`),
        serverUrl: server.url,
        mac,
        config: CONFIG,
      });
      programs.set(client, daemon);
      const device = await server.management.device("mac", mac, daemon.output);
      await server.management.setStatus(device, "accepted");
      await inventoryOf(server, device.id, daemon);
    }
    await sleep(settleSeconds * 1000);
    return Object.fromEntries([...programs].map(([name, program]) => [name, memoryOf(program)]));
  } finally {
    for (const program of programs.values()) await program.stop("SIGKILL");
  }
}
