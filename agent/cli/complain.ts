import { writeError, writeRawError } from "../system/terminal.ts";
import type { Globals } from "./globals.ts";

const FOR_PROGRAMS = ["json", "journal"] as const;

/**
 * Says on standard error why a command fails: as text, or as a line of the log if that was asked for in a format for
 * programs. Standard error never mixes both.
 */
export async function complain(message: string, { logFormat }: Pick<Globals, "logFormat">): Promise<void> {
  const format = FOR_PROGRAMS.find((one) => one === logFormat);
  if (format === undefined) {
    writeError(`upkeep: ${message}\n`);
    return;
  }
  // Loaded only here: most commands do not fail.
  const { createLogger } = await import("@upkeep/shared/logging");
  const { linuxSystem } = await import("../system/index.ts");
  const { clock } = linuxSystem();
  createLogger({ level: "error", format, write: writeRawError, now: () => clock.now() }).error(message);
}
