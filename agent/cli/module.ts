import { runRootfsImage } from "../modules/rootfs-image/index.ts";
import { linuxSystem } from "../system/index.ts";
import { writeError, writeOutput } from "../system/terminal.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";

export interface ModuleOptions extends Globals {
  readonly call: string;
  readonly workTree: string;
}

/**
 * `upkeep module rootfs-image <call> <work-tree>`: an update module that is part of this program.
 * A client that runs it gives no options; `UPKEEP_ROOT` stands for `--root` then.
 */
export async function runModule({ call, workTree, root }: ModuleOptions): Promise<ExitCode> {
  const context = {
    system: linuxSystem(),
    workTree,
    root: root ?? process.env.UPKEEP_ROOT,
    environment: process.env,
    say: (line: string) => writeError(`${line}\n`),
  };
  return (await runRootfsImage(call, context, writeOutput, writeError)) === 0 ? EXIT.ok : EXIT.failure;
}
