import { runRootfsImage } from "../modules/rootfs-image/index.ts";
import { linuxSystem } from "../system/index.ts";
import { writeError, writeOutput } from "../system/terminal.ts";
import { EXIT, type ExitCode, type Globals, toldToModule } from "./globals.ts";

export interface ModuleOptions extends Globals {
  readonly call: string;
  readonly workTree: string;
}

/**
 * `upkeep module rootfs-image <call> <work-tree>`: an update module that is part of this program.
 * A client that runs it gives no options; `UPKEEP_ROOT`, `UPKEEP_CONFIG` and `UPKEEP_FALLBACK_CONFIG` stand for them then.
 */
export async function runModule({ call, workTree, ...options }: ModuleOptions): Promise<ExitCode> {
  const context = {
    system: linuxSystem(),
    workTree,
    ...toldToModule(options, process.env),
    environment: process.env,
    say: (line: string) => writeError(`${line}\n`),
  };
  return (await runRootfsImage(call, context, writeOutput, writeError)) === 0 ? EXIT.ok : EXIT.failure;
}
