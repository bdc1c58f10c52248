import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import {
  type AgentParts,
  type DeviceClient,
  loadConfig,
  type OpenArtifact,
  PartMaker,
  type ProgressEvent,
  type Replacement,
  type Replacements,
  runAgent,
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
}

/** Writes what the kernel says of the slot that was booted. */
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

/** What a simulated device runs: the agent's daemon as its command line runs it. Only the door is exchanged. */
export function agentProgram({ log, onProgress, onRest, wraps }: AgentOptions): MainProgram {
  const decompressors = SYNCHRONOUS_DECOMPRESSORS;
  return async (machine, { slot, pid, environment }) => {
    const system = wraps.system?.(machine) ?? machine;
    if (slot !== undefined) await writeBootedSlot(system, slot.slot);
    const loaded = await loadConfig(system.files, {});
    const parts = new PartMaker(replacementsOf(wraps));
    await runAgent({ ...loaded, system, environment, pid, decompressors, log, parts }, { onProgress, onRest });
  };
}
