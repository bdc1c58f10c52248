/** The update module for root file systems in two partitions, A and B: protocol v3, one call at a time. */
import { isSystemError } from "@upkeep/shared/system";
import { AgentError } from "../../errors.ts";
import { findMountedRoot } from "./mounted-root.ts";
import { artifactRollback } from "./rollback.ts";
import { deviceNow, type ModuleContext, partitionsOf, rememberPart } from "./rootfs-device.ts";
import { commit, install, needsReboot, partToRemember, verifyReboot, verifyRollbackReboot } from "./rules.ts";
import { downloadImage } from "./write-partition.ts";

export type { ModuleContext } from "./rootfs-device.ts";

async function artifactInstall(context: ModuleContext): Promise<void> {
  const { situation, bootLoader } = await deviceNow(context);
  // Written first, so that a failure in any later step can be rolled back.
  await rememberPart(context.system.files, context.workTree, partToRemember(situation));
  await bootLoader.write(install(situation));
}

async function artifactCommit(context: ModuleContext): Promise<void> {
  const { situation, bootLoader } = await deviceNow(context);
  await bootLoader.write(commit(situation));
}

/** True unless it is certain that what the boot loader would boot runs already. */
async function mayNeedReboot(context: ModuleContext): Promise<boolean> {
  try {
    return needsReboot((await deviceNow(context)).situation);
  } catch (error) {
    if (!(error instanceof AgentError) && !isSystemError(error)) throw error;
    return true;
  }
}

/** The running partition, and the one that an image overwrites. A UBI volume cannot be read while it is updated. */
async function seeds(context: ModuleContext): Promise<string> {
  const partitions = await partitionsOf(context);
  const running = await findMountedRoot(context.system.files, context.root, partitions);
  const targets = running === undefined ? [] : partitions.filter((one) => one !== running && one.kind === "block");
  const lines = [
    ...(running === undefined ? [] : [running.device]),
    ...targets.map(({ device }) => `target ${device}`),
  ];
  return lines.join("\n");
}

type Call = (context: ModuleContext, answer: (text: string) => void) => Promise<void> | void;

const CALLS: Readonly<Record<string, Call>> = {
  ProvidePayloadFileSizes: (_, answer) => answer("Yes"),
  NeedsArtifactReboot: async (context, answer) => answer((await mayNeedReboot(context)) ? "Automatic" : "No"),
  AdaptiveSeeds: async (context, answer) => answer(await seeds(context)),
  SupportsRollback: (_, answer) => answer("Yes"),
  // Older clients call this one.
  Download: (context) => downloadImage(context, false),
  DownloadWithFileSizes: (context) => downloadImage(context, true),
  ArtifactInstall: artifactInstall,
  ArtifactVerifyReboot: async (context) => verifyReboot((await deviceNow(context)).situation),
  ArtifactCommit: artifactCommit,
  ArtifactRollback: artifactRollback,
  ArtifactVerifyRollbackReboot: async (context) => verifyRollbackReboot((await deviceNow(context)).situation),
};

/**
 * Run one call. An unknown call succeeds without an answer: the protocol may have new ones.
 * @param answer Writes to standard output, which holds only answers.
 * @param complain Writes to standard error.
 * @returns The exit code.
 */
export async function runRootfsImage(
  call: string,
  context: ModuleContext,
  answer: (text: string) => void,
  complain: (text: string) => void,
): Promise<0 | 1> {
  try {
    if (Object.hasOwn(CALLS, call)) await CALLS[call]?.(context, (text) => answer(`${text}\n`));
    return 0;
  } catch (error) {
    if (!(error instanceof AgentError) && !isSystemError(error)) throw error;
    complain(`rootfs-image: ${call}: ${error.message}\n`);
    return 1;
  }
}
