import { type Files, readTextFile, replaceFile, type System } from "@upkeep/shared/system";
import { AgentError } from "../../errors.ts";
import { type FoundBootLoader, findBootLoader } from "./boot-loaders/find.ts";
import { findMountedRoot } from "./mounted-root.ts";
import { type RootPartition, rootPartitions } from "./partitions.ts";
import { readRootfsSettings } from "./rootfs-settings.ts";
import type { Situation } from "./rules.ts";

/** The arguments of a call of the module. */
export interface ModuleContext {
  readonly system: Pick<System, "files" | "processes">;
  /** The payload's work tree. */
  readonly workTree: string;
  /** See `PathOptions.root`. */
  readonly root: string | undefined;
  /** The configuration files from the command line. */
  readonly config?: string | undefined;
  readonly fallbackConfig?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Writes a line to the log. */
  readonly say: (line: string) => void;
}

/** The device as it is now: input of the rules, and target of their decisions. */
export interface DeviceNow {
  readonly situation: Situation;
  readonly partitions: readonly [RootPartition, RootPartition];
  readonly bootLoader: FoundBootLoader["loader"];
}

const REMEMBERED_BYTES_MAX = 4096;

function rememberedPath(workTree: string): string {
  return `${workTree}/tmp/orig-part`;
}

/** The partition that ran when ArtifactInstall began: its number, or a device whose name ends in it. */
export async function rememberedPart(files: Files, workTree: string): Promise<number | undefined> {
  const path = rememberedPath(workTree);
  const text = (await readTextFile(files, path, REMEMBERED_BYTES_MAX))?.trim();
  if (text === undefined) return undefined;
  const digits = /\d+$/.exec(text)?.[0];
  if (digits !== undefined) return Number(digits);
  throw new AgentError("work-tree-invalid", `${path} holds ${JSON.stringify(text)}, which names no partition`);
}

export async function rememberPart(files: Files, workTree: string, part: number): Promise<void> {
  await replaceFile(files, rememberedPath(workTree), `${part}\n`);
}

export function bootLoaderOf({ system, workTree, root }: ModuleContext): Promise<FoundBootLoader> {
  return findBootLoader(system, `${workTree}/tmp`, root);
}

export async function partitionsOf(context: ModuleContext): Promise<readonly [RootPartition, RootPartition]> {
  const { files } = context.system;
  return await rootPartitions(files, context.root, await readRootfsSettings(files, context));
}

export async function deviceNow(context: ModuleContext): Promise<DeviceNow> {
  const { system, root, workTree } = context;
  const partitions = await partitionsOf(context);
  const { loader, variables } = await bootLoaderOf(context);
  return {
    partitions,
    bootLoader: loader,
    situation: {
      partitions: [partitions[0].number, partitions[1].number],
      variables,
      mountedRoot: (await findMountedRoot(system.files, root, partitions))?.number,
      original: await rememberedPart(system.files, workTree),
    },
  };
}
