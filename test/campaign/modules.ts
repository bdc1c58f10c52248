import { readFile, type System } from "@upkeep/shared/system";
import { runRootfsImage } from "../../agent/modules/rootfs-image/index.ts";
import type { ModuleManners } from "../../mock-server/scenarios/file/index.ts";
import type { ProgramContext, SimulatedProgram } from "../../mock-server/scenarios/simulation/index.ts";
import { type InstallSource, moduleProgram } from "../../mock-server/scenarios/world/module.ts";

/** How the simulated update module behaves. */
export interface ModuleBehaviour {
  /**
   * `files`: replaces a file of its own; `slots`: writes the other root file system, in the manner of
   * rootfs-image; `rootfs-image`: the agent's own module for that, as it is.
   */
  readonly kind: "files" | "slots" | "rootfs-image";
  readonly reboot: ModuleManners["reboot"];
  readonly rollback: boolean;
  /** Calls that do half of their work and then fail; with `hoarding`, ArtifactInstall also fills the disk. */
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
export const CURRENT = `${APP}/current`;
export const BACKUP = `${APP}/backup`;
/** The hoard is on the file system of the data directory. */
const PATHS = { current: CURRENT, backup: BACKUP, hoard: "/data/upkeep/hoard" };

const LIMIT_BYTES = 64 * 1024;

/** @throws Error that begins with VIOLATION if the module is about to install a payload that is not whole. */
async function demandWhole(
  { files }: System,
  source: InstallSource,
  payloads: readonly Buffer[],
  twoFiles: boolean,
): Promise<void> {
  if ("device" in source) {
    const device = await files.open(source.device, "read");
    const image = Buffer.alloc(Math.max(...payloads.map(({ length }) => length)));
    await device.read(image);
    await device.close();
    if (!payloads.some((one) => one.equals(image.subarray(0, one.length))))
      throw new Error("VIOLATION: the image to boot is not whole");
    return;
  }
  const payload = await readFile(files, `${source.directory}/payload`, LIMIT_BYTES);
  if (payload === undefined || !payloads.some((one) => one.equals(payload)))
    throw new Error("VIOLATION: the payload to install is not whole");
  const extra = await readFile(files, `${source.directory}/${EXTRA_NAME}`, LIMIT_BYTES);
  if (extra !== undefined && !extra.equals(EXTRA)) throw new Error("VIOLATION: the second file is not whole");
  if ((extra !== undefined) !== twoFiles) throw new Error("VIOLATION: a file is missing, or left over");
}

/** The agent's own module, which finds slots, mounts and boot loader as it does on a device. */
function builtIn({ system, environment, stdout, stderr }: ProgramContext, call: string, tree: string): Promise<0 | 1> {
  const context = { system, workTree: tree, root: undefined, environment, say: (line: string) => stderr(`${line}\n`) };
  return runRootfsImage(call, context, stdout, stderr);
}

/** State of the campaign while modules run. */
export interface ModuleRecord {
  /** Process of the last call. */
  last: number | undefined;
  runs: (pid: number) => boolean;
  readonly violations: string[];
  /** Calls of this life, in order. */
  readonly calls: string[];
}

/** The scenarios' update module, or the agent's own one, with the campaign's checks around each call. */
export function checkedModule(
  { fails, streams, twoFiles, kind, ...manners }: ModuleBehaviour,
  payloads: readonly Buffer[],
  record: ModuleRecord,
): SimulatedProgram {
  const begins = (call: string, pid: number) => {
    if (record.last !== undefined && record.runs(record.last))
      record.violations.push(`${call} was called while another call was running`);
    record.last = pid;
    record.calls.push(call);
    const faults = new Set<"fails" | "fills">();
    if (fails.has(call)) faults.add("fails");
    if (call === "ArtifactInstall" && fails.has(HOARDING)) faults.add("fills");
    return faults;
  };
  const installs = (system: System, source: InstallSource) => demandWhole(system, source, payloads, twoFiles);
  const program: SimulatedProgram =
    kind === "rootfs-image"
      ? async (context) => {
          const [call = "", tree = ""] = context.args;
          begins(call, context.pid);
          return await builtIn(context, call, tree);
        }
      : moduleProgram({ ...manners, kind, stores: !streams, takes: 0, missing: false }, { begins, installs }, PATHS);
  return async (context) => {
    try {
      return await program(context);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text.startsWith("VIOLATION")) record.violations.push(text);
      throw error;
    }
  };
}
