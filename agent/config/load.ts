import { type Files, isSystemError, readTextFile } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { type ConfigFile, parseConfigFile } from "./file.ts";
import { type PathOptions, type SystemPaths, systemPaths, underRoot } from "./paths.ts";
import { type AgentConfig, overlay, settingsFrom } from "./settings.ts";

const CONFIG_BYTES_MAX = 1024 * 1024;

const NOTHING: ConfigFile = { values: {}, warnings: [] };

export interface LoadedConfig {
  readonly config: AgentConfig;
  readonly paths: SystemPaths;
  /** For the log: keys that are unknown or have no effect. */
  readonly warnings: readonly string[];
}

async function readConfigFile(files: Files, path: string, mustExist: boolean): Promise<ConfigFile> {
  let text: string | undefined;
  try {
    text = await readTextFile(files, path, CONFIG_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AgentError("config-unreadable", `cannot read the configuration: ${error.message}`, { cause: error });
  }
  if (text !== undefined) return parseConfigFile(text, path);
  if (mustExist) throw new AgentError("config-unreadable", `the configuration ${path} does not exist`);
  return NOTHING;
}

/** The device's own identity program, or that of the package where there is no other. */
async function identityScript(
  files: Files,
  { deviceIdentityScript, packageIdentityScript }: SystemPaths,
): Promise<string> {
  try {
    if ((await files.status(deviceIdentityScript)) !== undefined) return deviceIdentityScript;
    return (await files.status(packageIdentityScript)) === undefined ? deviceIdentityScript : packageIdentityScript;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    // The error is reported when the program is run.
    return deviceIdentityScript;
  }
}

/**
 * Reads the fallback and the main configuration and checks them. A file that is named by
 * `options` must exist; the default ones may be missing.
 * @throws AgentError `config-unreadable`, `config-not-json` or `config-invalid`.
 */
export async function loadConfig(files: Files, options: PathOptions): Promise<LoadedConfig> {
  const places = systemPaths(options);
  const paths = { ...places, identityScript: await identityScript(files, places) };
  const fallback = await readConfigFile(files, paths.fallbackConfigFile, options.fallbackConfig !== undefined);
  const main = await readConfigFile(files, paths.configFile, options.config !== undefined);
  return {
    config: settingsFrom(overlay(fallback.values, main.values), (path) => underRoot(options.root, path)),
    paths,
    warnings: [...fallback.warnings, ...main.warnings],
  };
}
