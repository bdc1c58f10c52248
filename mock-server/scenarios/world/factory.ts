import { given } from "@upkeep/shared/given";
import type { Devices, SoftwareSettings } from "../file/index.ts";
import { BootLoader, type BootLoaderOptions, Disk, type Programs, rootImage } from "../simulation/index.ts";
import { PAYLOAD_TYPE, scriptOf } from "./artifacts.ts";

/** Where a module that replaces a file has it. */
export const CURRENT = "/data/software/current";
/** Which slot the kernel was started from. */
export const BOOTED_SLOT = "/run/booted-slot";
export const SLOTS: Readonly<Record<number, string>> = { 2: "/dev/slot-2", 3: "/dev/slot-3" };
export const DATASTORE = "/var/lib/mender";
export const STORE_FILE = `${DATASTORE}/upkeep-store.json`;
export const MODULE_PROGRAM = "/bin/update-module";
export const IDENTITY_PROGRAM = "/bin/identity";
export const INVENTORY_PROGRAM = "/bin/inventory";
export const SCRIPT_PROGRAM = "/bin/script";
/** The directory of the files that fill the data partition. */
export const HOARD = `${DATASTORE}/hoard`;
const BLOCK_BYTES = 4096;
const UPTIME = "/proc/uptime";
const CONFIGURATION = "/etc/mender/mender.conf";
const VERIFY_KEY = "/etc/mender/artifact-verify-key.pem";
/** Nothing runs there if nothing is said. */
const FIRST_SOFTWARE = "v1";

/** The proxy of devices that reach the server only through one. */
export const PROXY_URL = "http://proxy.example.com:3128";

/** How the server is called in the simulated network. */
export const SERVER_URL = "https://upkeep.example.com";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function put(disk: Disk, path: string, content: Uint8Array | string, mode = 0o644): void {
  disk.makeDirectory(path.slice(0, path.lastIndexOf("/")), 0o755);
  disk.write(disk.openForWriting(path, mode, true), 0, typeof content === "string" ? bytes(content) : content, path);
}

/** The files of a new device. */
export interface FactorySettings {
  readonly row: Devices;
  /** PEM. */
  readonly deviceKey: string;
  /** PEM of the key that artifacts are signed with. */
  readonly verifyKey: string;
  /** The largest image that will be installed. */
  readonly slotBytes: number;
  /** Size of the first software where payloads are alike; 0 where they are not. */
  readonly alikeBytes: number;
}

export function bootLoaderOf(
  { row, slotBytes }: Pick<FactorySettings, "row" | "slotBytes">,
  crashes: NonNullable<BootLoaderOptions["crashes"]>,
): BootLoader {
  return new BootLoader({ slots: SLOTS, slotBytes, bootLimit: row.boot_limit, crashes });
}

/** The agent's configuration. */
export function configurationOf(row: Devices): Record<string, unknown> {
  return {
    ServerURL: SERVER_URL,
    UpdatePollIntervalSeconds: Math.max(1, Math.round(row.poll / 1000)),
    InventoryPollIntervalSeconds: Math.max(1, Math.round(row.inventory_poll / 1000)),
    // Scenarios name instants: polls have no jitter unless the file sets one.
    PollJitterPercent: 0,
    ...(row.verify_signatures ? { ArtifactVerifyKey: VERIFY_KEY } : {}),
    ...row.config,
  };
}

/** The file says for how long the agent's first poll may wait: systemd starts the agent. */
export function isOfSystemd({ config }: Devices): boolean {
  return Number(config.FirstPollDelaySeconds ?? 0) > 0;
}

/** Tells the agent that systemd has started it. */
const SYSTEMD_ENVIRONMENT = { NOTIFY_SOCKET: "/run/systemd/notify" } as const;
/** The environment of the agent's process. */
export function environmentOf(row: Devices): Readonly<Record<string, string>> {
  return { ...(isOfSystemd(row) ? SYSTEMD_ENVIRONMENT : {}), ...(row.proxy ? { https_proxy: PROXY_URL } : {}) };
}

/** systemd hears what it is told, and does nothing. */
export const SYSTEMD_TOOLS: Programs = { "/usr/bin/systemd-notify": async () => 0 };

/** Writes for how long the machine has been up. */
export function writeUptime(disk: Disk, upMs: number): void {
  const file = disk.openForWriting(UPTIME, 0o444, false);
  disk.truncate(file);
  disk.write(file, 0, bytes(`${(upMs / 1000).toFixed(2)} 0.00\n`), UPTIME);
}

/** Writes the configuration of a device whose software brings settings of its own. */
export function configure(disk: Disk, row: Devices, { config = {} }: SoftwareSettings): void {
  const text = JSON.stringify({ ...configurationOf(row), ...config });
  const file = disk.openForWriting(CONFIGURATION, 0o644, false);
  if (new TextDecoder().decode(file.content.bytes) === text) return;
  disk.truncate(file);
  disk.write(file, 0, bytes(text), CONFIGURATION);
  disk.sync(file);
}

/** A device fresh from the factory. */
export function factoryDisk(settings: FactorySettings): Disk {
  const { row, deviceKey, verifyKey, alikeBytes } = settings;
  const disk = Disk.blank();
  disk.addMount({ path: "/run", volatile: true });
  disk.addMount({ path: "/proc", volatile: true });
  const { size, inodes, noexec } = row.data_partition ?? {};
  if (row.data_partition !== undefined) {
    disk.addMount({
      path: DATASTORE,
      blockBytes: BLOCK_BYTES,
      ...given({ capacityBytes: size, inodes, noexec }),
    });
  }
  const provides = { artifact_name: FIRST_SOFTWARE, ...row.provides };
  const software = provides.artifact_name;
  const image = rootImage({
    software,
    ...(alikeBytes === 0 ? {} : { sizeBytes: alikeBytes, alike: 1, modified: row.modified }),
  });
  put(disk, CONFIGURATION, JSON.stringify(configurationOf(row)));
  put(disk, VERIFY_KEY, verifyKey);
  put(disk, `${DATASTORE}/device_type`, `device_type=${row.type}\n`);
  put(disk, `${DATASTORE}/mender-agent.pem`, deviceKey, 0o600);
  put(disk, STORE_FILE, JSON.stringify({ version: 1, provides, update: null }));
  put(disk, "/usr/share/mender/identity/mender-device-identity", `#!${IDENTITY_PROGRAM}\n`, 0o755);
  put(disk, "/usr/share/mender/inventory/mender-inventory-scenario", `#!${INVENTORY_PROGRAM}\n`, 0o755);
  if (!row.module.missing) put(disk, `/usr/share/mender/modules/v3/${PAYLOAD_TYPE}`, `#!${MODULE_PROGRAM}\n`, 0o755);
  for (const [name, code] of Object.entries(row.scripts))
    put(disk, `/etc/mender/scripts/${name}`, scriptOf(code), 0o755);
  if (row.module.kind === "files") put(disk, CURRENT, image);
  else bootLoaderOf(settings, () => false).install(disk, { 2: image });
  disk.syncAll();
  return disk;
}
