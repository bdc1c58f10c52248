import { systemPaths } from "../config/paths.ts";
import { signalDaemon } from "../daemon/lock.ts";
import { linuxSystem } from "../system/index.ts";
import { writeOutput } from "../system/terminal.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";

/** `upkeep send-inventory`: let the running daemon send the inventory now. */
export async function sendInventory({ root, datastore }: Globals): Promise<ExitCode> {
  const paths = systemPaths({
    ...(root === undefined ? {} : { root }),
    ...(datastore === undefined ? {} : { datastore }),
  });
  const pid = await signalDaemon(linuxSystem(), paths.datastore, "USR2");
  writeOutput(`The daemon (process ${pid}) sends the inventory now.\n`);
  return EXIT.ok;
}
