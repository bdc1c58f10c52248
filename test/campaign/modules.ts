import {
  type FileHandle,
  readFile,
  readTextFile,
  removeDurably,
  replaceFile,
  type System,
} from "@upkeep/shared/system";
import type { RebootAnswer } from "../../agent/modules/index.ts";
import { runRootfsImage } from "../../agent/modules/rootfs-image/index.ts";
import {
  BOOT_ENVIRONMENT,
  hoard,
  type ProgramContext,
  parseEnvironment,
  type SimulatedProgram,
  unhoard,
} from "../../mock-server/scenarios/simulation/index.ts";

/** How the simulated update module behaves. */
export interface ModuleBehaviour {
  /**
   * `files`: replaces a file of its own; `slots`: writes the other root file system, in the manner of
   * rootfs-image; `rootfs-image`: the agent's own module for that, as it is.
   */
  readonly kind: "files" | "slots" | "rootfs-image";
  readonly reboot: RebootAnswer;
  readonly rollback: boolean;
  /** Calls that do half of their work and then fail; with `hoarding`, ArtifactInstall takes all room of the disk too. */
  readonly fails: ReadonlySet<string>;
  /** The payload is taken through the FIFOs. */
  readonly streams: boolean;
  /** The second file comes too. */
  readonly twoFiles: boolean;
}

/** Among the calls that fail: the module fills the disk. */
export const HOARDING = "hoarding";

/** The second file of a payload: pieces of it tell where they belong. */
export const EXTRA_NAME = "second";
export const EXTRA = Buffer.from(Array.from({ length: 1500 }, (_, line) => `${line}`.padStart(7, ".")).join("\n"));

export const APP = "/data/app";
/** On the file system of the data directory. */
export const HOARD = "/data/upkeep/hoard";
export const CURRENT = `${APP}/current`;
export const BACKUP = `${APP}/backup`;
export const SLOT_BYTES = 1024;
export const SLOTS: Readonly<Record<number, string>> = { 2: "/dev/slot-2", 3: "/dev/slot-3" };
/** Which slot the kernel was started from. */
export const BOOTED_SLOT = "/run/booted-slot";

const LIMIT_BYTES = 64 * 1024;

async function bootVariables({ files }: System): Promise<Map<string, string>> {
  return parseEnvironment((await readTextFile(files, BOOT_ENVIRONMENT, LIMIT_BYTES)) ?? "");
}

async function setBootVariables(system: System, variables: Readonly<Record<string, string>>): Promise<void> {
  const batch = "/run/boot-batch";
  await replaceFile(
    system.files,
    batch,
    Object.entries(variables)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(""),
  );
  const tool = await system.processes.start({ command: "fw_setenv", args: ["-s", batch] });
  const exit = await tool.exit;
  if (!("code" in exit) || exit.code !== 0) throw new Error("fw_setenv failed");
}

const otherSlot = (slot: string | undefined): string => (slot === "2" ? "3" : "2");

/** Read the payload from the FIFOs, and give each chunk to `write`. */
async function takeStream(
  { openFifo }: ProgramContext,
  write: (chunk: Uint8Array, name: string) => Promise<void>,
): Promise<void> {
  for (;;) {
    let line = "";
    const next = await openFifo("stream-next");
    for (let chunk = await next.read(); chunk !== undefined; chunk = await next.read())
      line += new TextDecoder().decode(chunk);
    await next.close();
    if (line === "") return;
    const path = line.trim().split(" ")[0] ?? "";
    const name = path.slice(path.lastIndexOf("/") + 1);
    const payload = await openFifo(path);
    for (let chunk = await payload.read(); chunk !== undefined; chunk = await payload.read()) await write(chunk, name);
    await payload.close();
  }
}

/** Actions by call; a call without one succeeds and does nothing. `fail` tells that half of it is enough. */
type Actions = Readonly<Record<string, (fail: boolean) => Promise<void>>>;

function rebootNow({ system }: ProgramContext) {
  return async (fail: boolean): Promise<void> => {
    if (fail) return;
    await system.power.reboot();
    await system.timers.sleep(24 * 3600_000);
  };
}

function filesActions(
  context: ProgramContext,
  tree: string,
  behaviour: ModuleBehaviour,
  payloads: readonly Buffer[],
): Actions {
  const { system } = context;
  const { files } = system;
  const staged = behaviour.streams ? `${tree}/tmp` : `${tree}/files`;
  return {
    Download: async (fail) => {
      if (!behaviour.streams || fail) return;
      const handles = new Map<string, FileHandle>();
      await takeStream(context, async (chunk, name) => {
        const handle = handles.get(name) ?? (await files.open(`${staged}/${name}`, "write"));
        handles.set(name, handle);
        await handle.write(chunk);
      });
      for (const handle of handles.values()) {
        await handle.sync();
        await handle.close();
      }
      await files.syncDirectory(staged);
    },
    ArtifactInstall: async (fail) => {
      const payload = await readFile(files, `${staged}/payload`, LIMIT_BYTES);
      if (payload === undefined || !payloads.some((one) => one.equals(payload)))
        throw new Error("VIOLATION: the payload to install is not whole");
      const extra = await readFile(files, `${staged}/${EXTRA_NAME}`, LIMIT_BYTES);
      if (extra !== undefined && !extra.equals(EXTRA)) throw new Error("VIOLATION: the second file is not whole");
      if ((extra !== undefined) !== behaviour.twoFiles) throw new Error("VIOLATION: a file is missing, or left over");
      const current = await readFile(files, CURRENT, LIMIT_BYTES);
      if (current !== undefined && (await files.status(BACKUP)) === undefined)
        await replaceFile(files, BACKUP, current);
      await replaceFile(files, CURRENT, fail ? payload.subarray(0, payload.length >> 1) : payload);
    },
    ArtifactRollback: async (fail) => {
      const backup = await readFile(files, BACKUP, LIMIT_BYTES);
      if (backup !== undefined && !fail) await replaceFile(files, CURRENT, backup);
    },
    ArtifactReboot: rebootNow(context),
    ArtifactRollbackReboot: rebootNow(context),
    Cleanup: async () => {
      await removeDurably(files, BACKUP);
    },
  };
}

function slotsActions(context: ProgramContext, tree: string, payloads: readonly Buffer[]): Actions {
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
      const device = await files.open(SLOTS[Number(other)] ?? "", "read");
      const image = Buffer.alloc(SLOT_BYTES);
      await device.read(image);
      await device.close();
      if (!payloads.some((one) => one.equals(image.subarray(0, one.length))))
        throw new Error("VIOLATION: the image to boot is not whole");
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

/** The agent's own module, which finds slots, mounts and boot loader as it does on a device. */
function builtIn({ system, environment, stdout, stderr }: ProgramContext, call: string, tree: string): Promise<0 | 1> {
  const context = { system, workTree: tree, root: undefined, environment, say: (line: string) => stderr(`${line}\n`) };
  return runRootfsImage(call, context, stdout, stderr);
}

/** What the campaign watches while modules run. */
export interface ModuleWatch {
  /** Process of the call before, and whether that still runs. */
  last: number | undefined;
  runs: (pid: number) => boolean;
  readonly violations: string[];
  /** Calls of this life, in order. */
  readonly calls: string[];
}

/** The update module: speaks protocol v3, reaches everything through its own door, keeps its state on the disk. */
export function moduleProgram(
  behaviour: ModuleBehaviour,
  payloads: readonly Buffer[],
  watch: ModuleWatch,
): SimulatedProgram {
  return async (context) => {
    const [call = "", tree = ""] = context.args;
    if (watch.last !== undefined && watch.runs(watch.last))
      watch.violations.push(`${call} was called while another call was running`);
    watch.last = context.pid;
    watch.calls.push(call);
    try {
      return await act(context, call, tree);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text.startsWith("VIOLATION")) watch.violations.push(text);
      throw error;
    }
  };

  async function act(context: ProgramContext, call: string, tree: string): Promise<number> {
    const fail = behaviour.fails.has(call);
    if (behaviour.kind === "rootfs-image") return await builtIn(context, call, tree);
    if (call === "NeedsArtifactReboot") context.stdout(`${behaviour.reboot}\n`);
    else if (call === "SupportsRollback") context.stdout(behaviour.rollback ? "Yes\n" : "No\n");
    else if (call === "ProvidePayloadFileSizes") context.stdout(behaviour.kind === "slots" ? "Yes\n" : "No\n");
    else {
      const relative: ProgramContext = { ...context, openFifo: (path) => context.openFifo(`${tree}/${path}`) };
      const actions =
        behaviour.kind === "slots"
          ? slotsActions(relative, tree, payloads)
          : filesActions(relative, tree, behaviour, payloads);
      await actions[call]?.(fail);
      if (!behaviour.fails.has(HOARDING)) return fail ? 1 : 0;
      if (call === "ArtifactInstall") await hoard(context.system.files, HOARD);
      if (call === "Cleanup") await unhoard(context.system.files, HOARD);
    }
    return fail ? 1 : 0;
  }
}
