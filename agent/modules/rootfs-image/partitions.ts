import { type Files, readTextFile } from "@upkeep/shared/system";
import { underRoot } from "../../config/paths.ts";
import { AgentError } from "../../errors.ts";
import type { RootfsSettings } from "./rootfs-settings.ts";

/** The unit of sizes in sysfs, whatever the device's own block size. */
const SECTOR_BYTES = 512;

const SYSFS_BYTES_MAX = 4096;

/** A partition or volume with a root file system, with the facts that the kernel has of it. */
export interface RootPartition {
  readonly kind: "block" | "ubi";
  /** As configured, for messages. */
  readonly name: string;
  /** The boot loader's name for it. */
  readonly number: number;
  /** Path of the device node, links resolved. */
  readonly device: string;
  readonly sizeBytes: number;
  /** `major:minor`. */
  readonly deviceNumber: string;
}

/** A value of sysfs. `undefined` if there is no such file. */
async function sysfs(files: Files, path: string): Promise<string | undefined> {
  return (await readTextFile(files, path, SYSFS_BYTES_MAX))?.trim();
}

async function sysfsNumber(files: Files, path: string): Promise<number> {
  const text = await sysfs(files, path);
  if (text !== undefined && /^\d+$/.test(text)) return Number(text);
  throw new AgentError("partition-unusable", `${path} holds ${JSON.stringify(text ?? "")}, not a number`);
}

function trailingNumber(path: string): number | undefined {
  const digits = /\d+$/.exec(path)?.[0];
  return digits === undefined ? undefined : Number(digits);
}

/** The number of a partition: the digits at the end of its device's name. Links by label or id are resolved first. */
function partitionNumber(key: string, configured: string, device: string): number {
  const speaking = configured.startsWith("/dev/disk/by-") ? undefined : trailingNumber(configured);
  const number = speaking ?? trailingNumber(device);
  if (number !== undefined) return number;
  throw new AgentError(
    "config-invalid",
    `${key} is ${JSON.stringify(configured)}, but its name does not end in the number of a partition`,
  );
}

async function rootPartition(
  files: Files,
  root: string | undefined,
  key: string,
  configured: string,
): Promise<RootPartition> {
  const path = underRoot(root, configured);
  if ((await files.status(path)) === undefined) {
    throw new AgentError("partition-unusable", `${key} is ${JSON.stringify(configured)}, but there is no such device`);
  }
  const device = await files.realPath(path);
  const node = device.slice(device.lastIndexOf("/") + 1);
  const facts = { name: configured, number: partitionNumber(key, configured, device), device };
  const volume = underRoot(root, `/sys/class/ubi/${node}`);
  const ofVolume = await sysfs(files, `${volume}/dev`);
  if (ofVolume !== undefined) {
    const blocks = await sysfsNumber(files, `${volume}/reserved_ebs`);
    const sizeBytes = blocks * (await sysfsNumber(files, `${volume}/usable_eb_size`));
    return { ...facts, kind: "ubi", sizeBytes, deviceNumber: ofVolume };
  }
  const block = underRoot(root, `/sys/class/block/${node}`);
  const ofBlock = await sysfs(files, `${block}/dev`);
  if (ofBlock !== undefined) {
    const sizeBytes = (await sysfsNumber(files, `${block}/size`)) * SECTOR_BYTES;
    return { ...facts, kind: "block", sizeBytes, deviceNumber: ofBlock };
  }
  throw new AgentError(
    "partition-unusable",
    `${key} is ${JSON.stringify(configured)}, which is neither a block device nor a UBI volume`,
  );
}

/**
 * Both partitions.
 * @param root See `PathOptions.root`.
 * @throws AgentError `config-invalid` or `partition-unusable`, naming key and value.
 */
export async function rootPartitions(
  files: Files,
  root: string | undefined,
  settings: RootfsSettings,
): Promise<readonly [RootPartition, RootPartition]> {
  const a = await rootPartition(files, root, "RootfsPartA", settings.partA);
  const b = await rootPartition(files, root, "RootfsPartB", settings.partB);
  if (a.number !== b.number && a.deviceNumber !== b.deviceNumber) return [a, b];
  const what = a.number === b.number ? `both have the number ${a.number}` : "are the same device";
  throw new AgentError("config-invalid", `RootfsPartA (${a.name}) and RootfsPartB (${b.name}) ${what}`);
}
