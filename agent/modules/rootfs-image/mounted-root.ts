import { type Files, isSystemError, readTextFile } from "@upkeep/shared/system";
import { underRoot } from "../../config/paths.ts";
import { type Mount, parseMountInfo } from "../../system/mount-info.ts";
import { devicePath, rootArgument, rootMount, ubiVolume } from "./mounts.ts";
import type { RootPartition } from "./partitions.ts";

const PROC_BYTES_MAX = 4 * 1024 * 1024;

/** The directories of the kernel's files: `/proc` and `/sys`, below `root` if one is given. */
interface Kernel {
  readonly files: Files;
  readonly root: string | undefined;
}

async function kernelText({ files, root }: Kernel, path: string): Promise<string> {
  return (await readTextFile(files, underRoot(root, path), PROC_BYTES_MAX)) ?? "";
}

/** A block device and, if it is mapped (dm-verity, dm-crypt, LVM), the devices below it. */
async function withLowerDevices(kernel: Kernel, deviceNumber: string): Promise<string[]> {
  const numbers = [deviceNumber];
  // The loop appends to the list; the kernel has no circular mappings.
  for (const number of numbers) {
    const slaves = underRoot(kernel.root, `/sys/dev/block/${number}/slaves`);
    if ((await kernel.files.status(slaves))?.kind !== "directory") continue;
    for (const { name } of await kernel.files.list(slaves)) {
      const lower = (await kernelText(kernel, `/sys/class/block/${name}/dev`)).trim();
      if (lower !== "" && !numbers.includes(lower)) numbers.push(lower);
    }
  }
  return numbers;
}

async function isNamed(kernel: Kernel, partition: RootPartition, name: string): Promise<boolean> {
  const node = partition.device.slice(partition.device.lastIndexOf("/") + 1);
  const volume = ubiVolume(name);
  if (volume !== undefined) {
    if (partition.kind !== "ubi") return false;
    if ("node" in volume) return volume.node === node;
    if (!node.startsWith(`${volume.device}_`)) return false;
    return (await kernelText(kernel, `/sys/class/ubi/${node}/name`)).trim() === volume.volume;
  }
  const path = devicePath(name);
  if (path === undefined) return false;
  try {
    return (await kernel.files.realPath(underRoot(kernel.root, path))) === partition.device;
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
}

async function find(
  partitions: readonly RootPartition[],
  fits: (partition: RootPartition) => Promise<boolean> | boolean,
): Promise<RootPartition | undefined> {
  for (const partition of partitions) if (await fits(partition)) return partition;
  return undefined;
}

async function partitionOf(
  kernel: Kernel,
  partitions: readonly RootPartition[],
  mount: Mount,
): Promise<RootPartition | undefined> {
  if (!mount.deviceNumber.startsWith("0:")) {
    const numbers = await withLowerDevices(kernel, mount.deviceNumber);
    return await find(partitions, ({ deviceNumber }) => numbers.includes(deviceNumber));
  }
  // UBIFS, btrfs and overlays have no block device, but a name, or the boot loader's `root=`.
  const bySource = await find(partitions, (partition) => isNamed(kernel, partition, mount.source));
  if (bySource !== undefined) return bySource;
  const argument = rootArgument(await kernelText(kernel, "/proc/cmdline"));
  return argument === undefined ? undefined : await find(partitions, (one) => isNamed(kernel, one, argument));
}

/** Which of the partitions is mounted as root; `undefined` if none is. */
export async function findMountedRoot(
  files: Files,
  root: string | undefined,
  partitions: readonly RootPartition[],
): Promise<RootPartition | undefined> {
  const kernel = { files, root };
  const mount = rootMount(parseMountInfo(await kernelText(kernel, "/proc/self/mountinfo")));
  return mount === undefined ? undefined : await partitionOf(kernel, partitions, mount);
}

/** Where a partition is mounted: writing to it would destroy the mounted file system. */
export async function findMountPoint(
  files: Files,
  root: string | undefined,
  partition: RootPartition,
): Promise<string | undefined> {
  const kernel = { files, root };
  for (const mount of parseMountInfo(await kernelText(kernel, "/proc/self/mountinfo"))) {
    const isIt = mount.deviceNumber.startsWith("0:")
      ? await isNamed(kernel, partition, mount.source)
      : mount.deviceNumber === partition.deviceNumber;
    if (isIt) return mount.mountPoint;
  }
  return undefined;
}
