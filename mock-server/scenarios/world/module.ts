import { readFile, readTextFile, removeDurably, replaceFile, type System } from "@upkeep/shared/system";
import type { ProgramTrouble } from "../../faults/effects/machine.ts";
import type { ModuleManners } from "../file/index.ts";
import {
  BOOT_ENVIRONMENT,
  hoard,
  type ProgramContext,
  parseEnvironment,
  type SimulatedProgram,
  unhoard,
} from "../simulation/index.ts";
import { BOOTED_SLOT, CURRENT, HOARD, SLOTS } from "./factory.ts";

const BYTES_MAX = 1024 ** 3;
const TEXT_BYTES_MAX = 64 * 1024;
const LONG_MS = 365 * 24 * 3_600_000;
const FLOOD_LINES = 20_000;

/** The module's own files on the device. */
export interface ModulePaths {
  /** The installed software of a module that replaces a file. */
  readonly current: string;
  /** The software before the update, until Cleanup. */
  readonly backup: string;
  /** Directory of the files that fill the data partition. */
  readonly hoard: string;
}

const SCENARIO_PATHS: ModulePaths = { current: CURRENT, backup: `${CURRENT}.before`, hoard: HOARD };

/** The payload to install: staged files, or an image that was written to a block device. */
export type InstallSource = { readonly directory: string } | { readonly device: string };

/** Observes the calls of a module and decides on their faults. */
export interface ModuleWatch {
  /** A call begins. @returns The faults to simulate. */
  begins(call: string, pid: number): ReadonlySet<ProgramTrouble>;
  /** The middle of a call. Absent: calls take no time. */
  midway?(call: string): void;
  /** The module is about to install; throws if the payload is wrong. */
  installs?(system: System, source: InstallSource): Promise<void>;
}

/** Actions by call; a call without one succeeds and does nothing. With `fail`, an action does half of its work. */
type Actions = Readonly<Record<string, (fail: boolean) => Promise<void>>>;

async function bootVariables({ files }: System): Promise<Map<string, string>> {
  return parseEnvironment((await readTextFile(files, BOOT_ENVIRONMENT, TEXT_BYTES_MAX)) ?? "");
}

async function setBootVariables(system: System, variables: Readonly<Record<string, string>>): Promise<void> {
  const batch = "/run/boot-batch";
  const lines = Object.entries(variables).map(([name, value]) => `${name} ${value}\n`);
  await replaceFile(system.files, batch, lines.join(""));
  const tool = await system.processes.start({ command: "fw_setenv", args: ["-s", batch] });
  const exit = await tool.exit;
  if (!("code" in exit) || exit.code !== 0) throw new Error("fw_setenv failed");
}

const otherSlot = (slot: string | undefined): string => (slot === "2" ? "3" : "2");

/** Takes the payload's files through the FIFOs. */
async function takeStream(
  { openFifo }: ProgramContext,
  take: (name: string, chunks: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  for (;;) {
    let line = "";
    const next = await openFifo("stream-next");
    for (let chunk = await next.read(); chunk !== undefined; chunk = await next.read())
      line += new TextDecoder().decode(chunk);
    await next.close();
    if (line === "") return;
    const path = line.trim().split(" ")[0] ?? "";
    const payload = await openFifo(path);
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      for (let chunk = await payload.read(); chunk !== undefined; chunk = await payload.read()) yield chunk;
    };
    await take(path.slice(path.lastIndexOf("/") + 1), chunks());
    await payload.close();
  }
}

function rebootNow({ system }: ProgramContext) {
  return async (fail: boolean): Promise<void> => {
    if (fail) return;
    await system.power.reboot();
    await system.timers.sleep(24 * 3_600_000);
  };
}

interface Module {
  readonly manners: ModuleManners;
  readonly watch: ModuleWatch;
  readonly paths: ModulePaths;
}

/** A module that replaces a file, and keeps the old one until Cleanup. */
function filesActions(context: ProgramContext, tree: string, { manners: { stores }, watch, paths }: Module): Actions {
  const { system } = context;
  const { files } = system;
  const { current: currentPath, backup: backupPath } = paths;
  const staged = stores ? `${tree}/files` : `${tree}/tmp`;
  return {
    Download: async (fail) => {
      if (stores || fail) return;
      await takeStream(context, async (name, chunks) => {
        const handle = await files.open(`${staged}/${name}`, "write");
        for await (const chunk of chunks) await handle.write(chunk);
        await handle.sync();
        await handle.close();
      });
      await files.syncDirectory(staged);
    },
    ArtifactInstall: async (fail) => {
      await watch.installs?.(system, { directory: staged });
      const payload = await readFile(files, `${staged}/payload`, BYTES_MAX);
      if (payload === undefined) throw new Error("there is no payload to install");
      const current = await readFile(files, currentPath, BYTES_MAX);
      if (current !== undefined && (await files.status(backupPath)) === undefined)
        await replaceFile(files, backupPath, current);
      await replaceFile(files, currentPath, fail ? payload.subarray(0, payload.length >> 1) : payload);
    },
    ArtifactRollback: async (fail) => {
      const backup = await readFile(files, backupPath, BYTES_MAX);
      if (backup !== undefined && !fail) await replaceFile(files, currentPath, backup);
    },
    ArtifactReboot: rebootNow(context),
    ArtifactRollbackReboot: rebootNow(context),
    Cleanup: async () => {
      await removeDurably(files, backupPath);
    },
  };
}

/** A module that writes the other root file system and lets the boot loader try it. */
function slotsActions(context: ProgramContext, tree: string, { watch }: Module): Actions {
  const { system } = context;
  const { files } = system;
  const original = `${tree}/tmp/orig-part`;
  const booted = async (): Promise<string> => (await readTextFile(files, BOOTED_SLOT, 10)) ?? "";
  const demandBooted = async (available: string): Promise<void> => {
    const variables = await bootVariables(system);
    if (variables.get("upgrade_available") !== available) throw new Error("upgrade_available is another one");
    if (variables.get("mender_boot_part") !== (await booted())) throw new Error("the other slot was booted");
  };
  return {
    DownloadWithFileSizes: async (fail) => {
      const slot = otherSlot((await bootVariables(system)).get("mender_boot_part"));
      const handle = await files.open(SLOTS[Number(slot)] ?? "", "update");
      let written = 0;
      await takeStream(context, async (_name, chunks) => {
        for await (const chunk of chunks) {
          await handle.write(fail ? chunk.subarray(0, chunk.length >> 1) : chunk, written);
          written += chunk.length;
          if (fail) throw new Error("enough");
        }
      });
      await handle.sync();
      await handle.close();
    },
    ArtifactInstall: async (fail) => {
      const active = (await bootVariables(system)).get("mender_boot_part");
      const other = otherSlot(active);
      await watch.installs?.(system, { device: SLOTS[Number(other)] ?? "" });
      await replaceFile(files, original, active ?? "");
      if (fail) return;
      await setBootVariables(system, {
        mender_boot_part: other,
        mender_boot_part_hex: other,
        upgrade_available: "1",
        bootcount: "0",
      });
    },
    ArtifactVerifyReboot: () => demandBooted("1"),
    ArtifactCommit: async (fail) => {
      await demandBooted("1");
      if (!fail) await setBootVariables(system, { upgrade_available: "0" });
    },
    ArtifactRollback: async (fail) => {
      const variables = await bootVariables(system);
      const from = await readTextFile(files, original, 10);
      if (fail || from === undefined) return;
      if (variables.get("mender_boot_part") !== from || variables.get("upgrade_available") !== "0")
        await setBootVariables(system, { mender_boot_part: from, mender_boot_part_hex: from, upgrade_available: "0" });
    },
    ArtifactReboot: rebootNow(context),
    ArtifactRollbackReboot: rebootNow(context),
    ArtifactVerifyRollbackReboot: () => demandBooted("0"),
  };
}

/** The answer to a query call; `undefined` for other calls. */
function answerOf(call: string, manners: ModuleManners): string | undefined {
  switch (call) {
    case "NeedsArtifactReboot":
      return { no: "No", yes: "Yes", automatic: "Automatic" }[manners.reboot];
    case "SupportsRollback":
      return manners.rollback ? "Yes" : "No";
    case "ProvidePayloadFileSizes":
      return manners.kind === "slots" ? "Yes" : "No";
    default:
      return undefined;
  }
}

/** Where parts of a payload may be, as a module answers to AdaptiveSeeds. */
async function seedsOf(system: System, { kind }: ModuleManners, { current }: ModulePaths): Promise<string> {
  if (kind === "files") return `${current}\n`;
  const active = (await bootVariables(system)).get("mender_boot_part");
  return `${SLOTS[Number(active)]}\ntarget ${SLOTS[Number(otherSlot(active))]}\n`;
}

/** The update module of a device: it speaks protocol v3 and keeps its state only on the disk. */
export function moduleProgram(
  manners: ModuleManners,
  watch: ModuleWatch,
  paths: ModulePaths = SCENARIO_PATHS,
): SimulatedProgram {
  const module = { manners, watch, paths };
  return async (context) => {
    const [call = "", tree = ""] = context.args;
    const { files, timers } = context.system;
    const faults = watch.begins(call, context.pid);
    await troubles(context, faults);
    const fails = faults.has("fails");
    const answer = answerOf(call, manners);
    if (answer !== undefined) {
      context.stdout(`${answer}\n`);
      return fails ? 1 : 0;
    }
    if (call === "AdaptiveSeeds") {
      context.stdout(await seedsOf(context.system, manners, paths));
      return fails ? 1 : 0;
    }
    const relative: ProgramContext = { ...context, openFifo: (path) => context.openFifo(`${tree}/${path}`) };
    const actions =
      manners.kind === "slots" ? slotsActions(relative, tree, module) : filesActions(relative, tree, module);
    if (watch.midway !== undefined) {
      const halfMs = call === "ArtifactInstall" ? manners.takes / 2 : 0;
      await timers.sleep(halfMs);
      watch.midway(call);
      await timers.sleep(halfMs);
    }
    await actions[call]?.(fails);
    if (call === "Cleanup" && (await files.status(paths.hoard)) !== undefined) await unhoard(files, paths.hoard);
    if (faults.has("fills")) {
      await hoard(files, paths.hoard);
      context.stderr(`${call} has filled the data partition\n`);
      return 1;
    }
    if (fails) context.stderr(`${call} fails, as the scenario wants it\n`);
    return fails ? 1 : 0;
  };
}

/** Simulates a program that hangs or floods its output. */
export async function troubles(
  { system, stderr, stdout }: Pick<ProgramContext, "system" | "stderr" | "stdout">,
  faults: ReadonlySet<ProgramTrouble>,
): Promise<void> {
  if (faults.has("floods"))
    for (let line = 0; line < FLOOD_LINES; line++) (line % 2 === 0 ? stderr : stdout)(`line ${line} of noise\n`);
  if (faults.has("hangs")) await system.timers.sleep(LONG_MS);
}
