import { createLogger } from "@upkeep/shared/logging";
import type { AgentContext } from "../compose/context.ts";
import { PartMaker } from "../compose/parts.ts";
import { loadConfig } from "../config/load.ts";
import { linuxSystem } from "../system/index.ts";
import { type Audience, audienceOfErrors, writeRawError } from "../system/terminal.ts";
import { type Globals, pathOptions } from "./globals.ts";

const FORMATS = { terminal: "human", journal: "journal", other: "json" } as const satisfies Record<Audience, string>;

/**
 * The context of a command on this machine.
 * @param quiet Log only from warnings on, unless the command line names a level.
 * @throws AgentError if the configuration cannot be used.
 */
export async function loadContext(globals: Globals, { quiet }: { readonly quiet: boolean }): Promise<AgentContext> {
  const system = linuxSystem();
  const loaded = await loadConfig(system.files, pathOptions(globals));
  const log = createLogger({
    level: globals.logLevel ?? (quiet ? "warning" : loaded.config.logLevel),
    format: globals.logFormat ?? FORMATS[audienceOfErrors()],
    write: writeRawError,
    now: () => system.clock.now(),
  });
  for (const warning of loaded.warnings) log.warning(warning);
  const { env: environment, pid } = process;
  return { ...loaded, system, environment, pid, log, parts: new PartMaker() };
}
