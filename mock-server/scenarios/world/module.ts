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

const BACKUP = `${CURRENT}.before`;
const BYTES_MAX = 1024 ** 3;
const TEXT_BYTES_MAX = 64 * 1024;
const LONG_MS = 365 * 24 * 3_600_000;
const FLOOD_LINES = 20_000;

/** How the world takes part in a module's life. */
export interface ModuleWatch {
  /** A call begins. @returns What goes wrong with it. */
  begins(call: string): ReadonlySet<ProgramTrouble>;
  /** Half of a call has been done. */
  midway(call: string): void;
}

/** Actions by call; a call without one succeeds and does nothing. `fail` tells that half of it is enough. */
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

/** Read the payload from the FIFOs, and give each chunk to `write`. */
async function takeStream({ openFifo }: ProgramContext, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  for (;;) {
    let line = "";
    const next = await openFifo("stream-next");
    for (let chunk = await next.read(); chunk !== undefined; chunk = await next.read())
      line += new TextDecoder().decode(chunk);
    await next.close();
    if (line === "") return;
    const payload = await openFifo(line.trim().split(" ")[0] ?? "");
    for (let chunk = await payload.read(); chunk !== undefined; chunk = await payload.read()) await write(chunk);
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

/** A module that replaces a file, and keeps what was there until all is over. */
function filesActions(context: ProgramContext, tree: string, { stores }: ModuleManners): Actions {
  const { system } = context;
  const { files } = system;
  const staged = stores ? `${tree}/files/payload` : `${tree}/tmp/payload`;
  return {
    Download: async (fail) => {
      if (stores || fail) return;
      const handle = await files.open(staged, "write");
      await takeStream(context, (chunk) => handle.write(chunk));
      await handle.sync();
      await handle.close();
      await files.syncDirectory(`${tree}/tmp`);
    },
    ArtifactInstall: async (fail) => {
      const payload = await readFile(files, staged, BYTES_MAX);
      if (payload === undefined) throw new Error("there is no payload to install");
      const current = await readFile(files, CURRENT, BYTES_MAX);
      if (current !== undefined && (await files.status(BACKUP)) === undefined)
        await replaceFile(files, BACKUP, current);
      await replaceFile(files, CURRENT, fail ? payload.subarray(0, payload.length >> 1) : payload);
    },
    ArtifactRollback: async (fail) => {
      const backup = await readFile(files, BACKUP, BYTES_MAX);
      if (backup !== undefined && !fail) await replaceFile(files, CURRENT, backup);
    },
    ArtifactReboot: rebootNow(context),
    ArtifactRollbackReboot: rebootNow(context),
    Cleanup: async () => {
      await removeDurably(files, BACKUP);
    },
  };
}

/** A module that writes the other root file system and has the boot loader try it. */
function slotsActions(context: ProgramContext, tree: string): Actions {
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
      await takeStream(context, async (chunk) => {
        await handle.write(fail ? chunk.subarray(0, chunk.length >> 1) : chunk, written);
        written += chunk.length;
        if (fail) throw new Error("enough");
      });
      await handle.sync();
      await handle.close();
    },
    ArtifactInstall: async (fail) => {
      const active = (await bootVariables(system)).get("mender_boot_part");
      const other = otherSlot(active);
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

/** Calls that ask and are answered at once. */
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

/** The update module of a device: speaks protocol v3, and has its state on the disk alone. */
export function moduleProgram(manners: ModuleManners, watch: ModuleWatch): SimulatedProgram {
  return async (context) => {
    const [call = "", tree = ""] = context.args;
    const faults = watch.begins(call);
    await troubles(context, faults);
    const fails = faults.has("fails");
    const answer = answerOf(call, manners);
    if (answer !== undefined) {
      context.stdout(`${answer}\n`);
      return fails ? 1 : 0;
    }
    const relative: ProgramContext = { ...context, openFifo: (path) => context.openFifo(`${tree}/${path}`) };
    const actions = manners.kind === "slots" ? slotsActions(relative, tree) : filesActions(relative, tree, manners);
    const action = actions[call];
    const takesMs = call === "ArtifactInstall" ? manners.takes : 0;
    await context.system.timers.sleep(takesMs / 2);
    watch.midway(call);
    await context.system.timers.sleep(takesMs / 2);
    await action?.(fails);
    if (call === "Cleanup") await unhoard(context.system.files, HOARD);
    if (faults.has("fills")) {
      await hoard(context.system.files, HOARD);
      context.stderr(`${call} has filled the data partition\n`);
      return 1;
    }
    if (fails) context.stderr(`${call} fails, as the scenario wants it\n`);
    return fails ? 1 : 0;
  };
}

/** Hang, or talk too much. */
export async function troubles(
  { system, stderr, stdout }: Pick<ProgramContext, "system" | "stderr" | "stdout">,
  faults: ReadonlySet<ProgramTrouble>,
): Promise<void> {
  if (faults.has("floods"))
    for (let line = 0; line < FLOOD_LINES; line++)
      (line % 2 === 0 ? stderr : stdout)(`line ${line} of what nobody reads\n`);
  if (faults.has("hangs")) await system.timers.sleep(LONG_MS);
}
