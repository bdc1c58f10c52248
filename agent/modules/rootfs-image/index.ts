/** The update module for root file systems in two partitions, A and B: protocol v3, one call at a time. */
import { isSystemError } from "@upkeep/shared/system";
import { AgentError } from "../../errors.ts";
import { deviceNow, type ModuleContext, rememberPart } from "./device.ts";
import { downloadImage } from "./download.ts";
import { artifactRollback } from "./rollback.ts";
import { commit, install, partToRemember, verifyReboot, verifyRollbackReboot } from "./rules.ts";

export type { ModuleContext } from "./device.ts";

async function artifactInstall(context: ModuleContext): Promise<void> {
  const { situation, bootLoader } = await deviceNow(context);
  // Remembered before the first doubt: whatever fails from here on, there is a place to go back to.
  await rememberPart(context.system.files, context.workTree, partToRemember(situation));
  await bootLoader.write(install(situation));
}

async function artifactCommit(context: ModuleContext): Promise<void> {
  const { situation, bootLoader } = await deviceNow(context);
  await bootLoader.write(commit(situation));
}

type Call = (context: ModuleContext, answer: (text: string) => void) => Promise<void> | void;

const CALLS: Readonly<Record<string, Call>> = {
  ProvidePayloadFileSizes: (_, answer) => answer("Yes"),
  NeedsArtifactReboot: (_, answer) => answer("Automatic"),
  SupportsRollback: (_, answer) => answer("Yes"),
  // From clients older than that question.
  Download: (context) => downloadImage(context, false),
  DownloadWithFileSizes: (context) => downloadImage(context, true),
  ArtifactInstall: artifactInstall,
  ArtifactVerifyReboot: async (context) => verifyReboot((await deviceNow(context)).situation),
  ArtifactCommit: artifactCommit,
  ArtifactRollback: artifactRollback,
  ArtifactVerifyRollbackReboot: async (context) => verifyRollbackReboot((await deviceNow(context)).situation),
};

/**
 * Run one call. A call that is not known is no fault: the protocol may have got new ones.
 * @param answer Writes to standard output, which holds nothing but answers in the calls that ask.
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
