import { systemPaths } from "../config/paths.ts";
import { signalDaemon } from "../daemon/lock.ts";
import { linuxSystem } from "../system/index.ts";
import { writeOutput } from "../system/terminal.ts";
import { EXIT, type ExitCode, type Globals, isOwnDevice, pathOptions } from "./globals.ts";

/** `upkeep check-update`: let the running daemon ask its server for a deployment now. */
export async function checkUpdate(globals: Globals): Promise<ExitCode> {
  const paths = systemPaths(pathOptions(globals));
  const pid = await signalDaemon(linuxSystem(), paths, "USR1", isOwnDevice(globals));
  writeOutput(`The daemon (process ${pid}) asks for an update now.\n`);
  return EXIT.ok;
}
