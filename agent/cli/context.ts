import { resolve } from "node:path";
import { createLogger, type LogFormat, type LoggerOptions, type LogLevel } from "@upkeep/shared/logging";
import { isSystemError } from "@upkeep/shared/system";
import type { AgentContext } from "../compose/context.ts";
import { PartMaker } from "../compose/parts.ts";
import { loadConfig } from "../config/load.ts";
import type { AgentConfig } from "../config/settings.ts";
import { AgentError } from "../errors.ts";
import { linuxSystem } from "../system/index.ts";
import { openLogFile } from "../system/log-file.ts";
import { type Audience, audienceOfErrors, wantsColouredErrors, writeRawError } from "../system/terminal.ts";
import { type Globals, pathOptions } from "./globals.ts";

type Formats = Readonly<Record<Audience, LogFormat>>;

/** A service's log is read later, and where it is no terminal's, by programs. */
const SERVICE_FORMATS: Formats = { terminal: "human", journal: "journal", other: "json" };
/** A command's log stands between its answers, which are text. */
const COMMAND_FORMATS: Formats = { terminal: "brief", journal: "journal", other: "brief" };

interface Logging {
  /** It is a command that ends, not a service: its log is text, and from warnings on unless `least` says otherwise. */
  readonly quiet: boolean;
  readonly least?: LogLevel;
}

/** @throws AgentError `log-file-unwritable`. */
function logFileAt(path: string): (line: string) => void {
  try {
    return openLogFile(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AgentError("log-file-unwritable", `--log-file: ${path} cannot be written: ${error.message}`, {
      cause: error,
    });
  }
}

/** Where the log goes, and how it looks there. */
function outputOf(
  { logFile, logFormat }: Globals,
  formats: Formats,
): Pick<LoggerOptions, "format" | "colours" | "write"> {
  if (logFile !== undefined) {
    return { format: logFormat ?? "plain", colours: false, write: logFileAt(resolve(logFile)) };
  }
  return {
    format: logFormat ?? formats[audienceOfErrors()],
    colours: wantsColouredErrors(),
    write: writeRawError,
  };
}

/** The configuration, with what the command line says instead. */
function withOptions(config: AgentConfig, { trustedCerts, skipverify }: Globals): AgentConfig {
  return {
    ...config,
    ...(trustedCerts ? { serverCertificate: resolve(trustedCerts) } : {}),
    ...(skipverify ? { skipVerify: true } : {}),
  };
}

/**
 * The context of a command on this machine.
 * @throws AgentError if the configuration cannot be used.
 */
export async function loadContext(globals: Globals, { quiet, least = "warning" }: Logging): Promise<AgentContext> {
  const system = linuxSystem();
  const { config, ...loaded } = await loadConfig(system.files, pathOptions(globals));
  const log = createLogger({
    level: globals.logLevel ?? (quiet ? least : config.logLevel),
    ...outputOf(globals, quiet ? COMMAND_FORMATS : SERVICE_FORMATS),
    now: () => system.clock.now(),
  });
  for (const warning of loaded.warnings) log.warning(warning);
  const { env: environment, pid } = process;
  return { ...loaded, config: withOptions(config, globals), system, environment, pid, log, parts: new PartMaker() };
}
