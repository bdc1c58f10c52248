import { AgentError } from "../../errors.ts";
import { demandCommand } from "./commands.ts";
import { findMountPoint } from "./mounted-root.ts";
import type { RootPartition } from "./partitions.ts";
import { contentOf, nextFile, type OfferedFile } from "./payload.ts";
import { type DeviceNow, deviceNow, type ModuleContext } from "./rootfs-device.ts";
import { download } from "./rules.ts";
import { type WriteProgress, writeImage } from "./write-image.ts";

const MIB = 1024 * 1024;
const PROGRESS_STEP_PERCENT = 10;

/** The partition that may be overwritten. */
async function passivePartition(context: ModuleContext, { partitions, situation }: DeviceNow): Promise<RootPartition> {
  const number = download(situation);
  const passive = partitions[0].number === number ? partitions[0] : partitions[1];
  const mountPoint = await findMountPoint(context.system.files, context.root, passive);
  if (mountPoint === undefined) return passive;
  throw new AgentError("partition-mounted", `${passive.name} is to be written, but it is mounted on ${mountPoint}`);
}

/** Logs the progress in tenths, which keeps the log of a deployment short. */
function progressReporter(sizeBytes: number, say: (line: string) => void): (progress: WriteProgress) => void {
  let next = PROGRESS_STEP_PERCENT;
  return ({ doneBytes, equalBytes }) => {
    const percent = Math.floor((doneBytes / sizeBytes) * 100);
    if (percent < next) return;
    next = percent - (percent % PROGRESS_STEP_PERCENT) + PROGRESS_STEP_PERCENT;
    say(`${percent}% of ${mib(sizeBytes)} MiB; ${mib(equalBytes)} MiB of it were there already`);
  };
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}

/** @returns The size of the image. */
async function write(context: ModuleContext, passive: RootPartition, file: OfferedFile): Promise<number> {
  const { system, say } = context;
  const { sizeBytes } = file;
  const content = contentOf(system.files, file);
  if (passive.kind === "ubi") {
    if (sizeBytes === undefined) {
      throw new AgentError("call-unsupported", `${passive.name} is a UBI volume, and takes no image without its size`);
    }
    // A volume must be written through UBI, which handles bad blocks. Its tool reads the FIFO itself.
    await demandCommand(system, "ubiupdatevol", [passive.device, `--size=${sizeBytes}`, file.path]);
    return sizeBytes;
  }
  if (sizeBytes !== undefined) {
    say(`writing ${mib(sizeBytes)} MiB to ${passive.name}`);
    await writeImage(system.files, passive.device, { sizeBytes, content }, progressReporter(sizeBytes, say));
    return sizeBytes;
  }
  say(`writing to ${passive.name}`);
  const image = { sizeBytes: passive.sizeBytes, orLess: true, content };
  const { doneBytes, equalBytes } = await writeImage(system.files, passive.device, image, () => undefined);
  say(`wrote ${mib(doneBytes)} MiB; ${mib(equalBytes)} MiB of it were there already`);
  return doneBytes;
}

/**
 * DownloadWithFileSizes, or Download for a client that knows no sizes: the payload's only file goes to the passive
 * partition.
 * @throws AgentError of the rules; `partition-mounted`, `image-too-large`, `payload-invalid`, …
 */
export async function downloadImage(context: ModuleContext, withSize: boolean): Promise<void> {
  const { system, workTree } = context;
  const passive = await passivePartition(context, await deviceNow(context));
  const file = await nextFile(system.files, workTree, withSize);
  if (file === undefined) throw new AgentError("payload-invalid", "the payload holds no file");
  const { sizeBytes = 0 } = file;
  if (sizeBytes > passive.sizeBytes) {
    throw new AgentError(
      "image-too-large",
      `the image has ${sizeBytes} bytes, but ${passive.name} only ${passive.sizeBytes}`,
    );
  }
  if (file.sizeBytes === 0 || (await write(context, passive, file)) === 0) {
    throw new AgentError("payload-invalid", "the image is empty");
  }
  const second = await nextFile(system.files, workTree, withSize);
  if (second === undefined) return;
  throw new AgentError("payload-invalid", `the payload holds a second file, ${second.path}; there may be only one`);
}
