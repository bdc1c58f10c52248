import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import {
  type AgentContext,
  AgentError,
  type AgentParts,
  type DeviceClient,
  loadConfig,
  type OpenArtifact,
  PartMaker,
  type ProgressEvent,
  type Replacement,
  type Replacements,
  runAgent,
  runCheck,
} from "upkeep/index.ts";
import type { MainProgram } from "../simulation/index.ts";
import { SYNCHRONOUS_DECOMPRESSORS } from "./decompression.ts";
import { BOOTED_SLOT, SLOTS } from "./factory.ts";

/** Parts of the agent that a test wraps: planted bugs. */
export interface AgentWraps {
  readonly system?: (system: System) => System;
  readonly store?: (store: AgentParts["store"]) => AgentParts["store"];
  readonly client?: (client: DeviceClient) => DeviceClient;
  readonly server?: (server: AgentParts["server"]) => AgentParts["server"];
  readonly openArtifact?: (open: OpenArtifact) => OpenArtifact;
}

export interface AgentOptions {
  readonly log: Logger;
  readonly onProgress: (event: ProgressEvent) => void;
  /** The engine is at rest: whether its update is over, or is to be resumed. */
  readonly onRest: (isOver: boolean) => void;
  readonly wraps: AgentWraps;
  /** A timer starts checks, in place of the daemon. */
  readonly byTimer: boolean;
}

/** Writes which slot booted, where update module and agent look for it. */
export async function writeBootedSlot({ files }: Pick<System, "files">, slot: number | undefined): Promise<void> {
  const put = async (path: string, text: string): Promise<void> => {
    const file = await files.open(path, "write");
    await file.write(new TextEncoder().encode(text));
    await file.close();
  };
  await put(BOOTED_SLOT, String(slot ?? ""));
  if (slot === undefined) return;
  await files.makeDirectory("/proc/self");
  await put("/proc/self/mountinfo", `1 0 8:${slot} / / rw - ext4 ${SLOTS[slot]} rw\n`);
}

function wrapping<Part>(wrap: ((part: Part) => Part) | undefined): Replacement<Part> | undefined {
  return wrap && (async (make) => wrap(await make()));
}

function replacementsOf({ store, client, server, openArtifact }: AgentWraps): Replacements {
  return given({
    store: wrapping(store),
    client: wrapping(client),
    server: wrapping(server),
    openArtifact: wrapping(openArtifact),
  });
}

/** What a simulated device runs: the agent as its command line runs it. Only the door is exchanged. */
export function agentProgram({ log, onProgress, onRest, wraps, byTimer }: AgentOptions): MainProgram {
  const decompressors = SYNCHRONOUS_DECOMPRESSORS;
  return async (machine, { slot, pid, environment }) => {
    const system = wraps.system?.(machine) ?? machine;
    if (slot !== undefined) await writeBootedSlot(system, slot.slot);
    /** What a process of the agent starts from. */
    const context = async (): Promise<AgentContext> => {
      const loaded = await loadConfig(system.files, {});
      return { ...loaded, system, environment, pid, decompressors, log, parts: new PartMaker(replacementsOf(wraps)) };
    };
    if (byTimer) await checkByTimer(context, { onProgress, onRest });
    else await runAgent(await context(), { onProgress, onRest });
  };
}

/** As upkeep.timer does: a check at the boot, and the next one when its pause is over, also after one that failed. */
async function checkByTimer(
  context: () => Promise<AgentContext>,
  options: Pick<AgentOptions, "onProgress" | "onRest">,
): Promise<never> {
  for (;;) {
    const check = await context();
    try {
      const outcome = await runCheck(check, options);
      check.log.info(`the check has ended: ${outcome}`);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      check.log.error(error.message, { code: error.code });
    }
    await check.system.timers.sleep(check.config.updatePollIntervalMs);
  }
}
