import { systemPaths } from "../config/paths.ts";
import { signalDaemon } from "../daemon/lock.ts";
import { linuxSystem } from "../system/index.ts";
import { writeOutput } from "../system/terminal.ts";
import { EXIT, type ExitCode, type Globals, isOwnDevice, pathOptions } from "./globals.ts";

/** `upkeep send-inventory`: let the running daemon send the inventory now. */
export async function sendInventory(globals: Globals): Promise<ExitCode> {
  const paths = systemPaths(pathOptions(globals));
  const pid = await signalDaemon(linuxSystem(), paths, "USR2", isOwnDevice(globals));
  writeOutput(`The daemon (process ${pid}) sends the inventory now.\n`);
  return EXIT.ok;
}
