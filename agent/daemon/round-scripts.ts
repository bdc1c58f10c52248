import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import type { LoadedConfig } from "../config/load.ts";
import type { StateScripts, StateScriptsOptions } from "../scripts/index.ts";
import { DEFAULT_UPDATE_SETTINGS } from "../update/update-settings.ts";
import type { DaemonParts } from "./daemon.ts";

/** Needed by the state scripts of Idle and Sync. */
export interface RoundScriptsParts extends Pick<LoadedConfig, "config" | "paths"> {
  readonly system: System;
  readonly log: Logger;
}

/**
 * Runs the root file system's state scripts.
 * @param load Called when the directory of scripts exists: most devices have none.
 */
export function roundScripts(
  { system, log, config, paths }: RoundScriptsParts,
  load: (options: StateScriptsOptions) => StateScripts | Promise<StateScripts>,
): NonNullable<DaemonParts["scripts"]> {
  const rootfs = paths.rootfsScripts;
  return async (set, signal) => {
    if ((await system.files.status(rootfs)) === undefined) return;
    const scripts = await load({
      system,
      logger: log,
      rootfsDirectory: rootfs,
      // The daemon's own states have no scripts of artifacts.
      artifactDirectory: rootfs,
      timeoutMs: config.scriptTimeoutMs,
      retryTimeoutMs: config.scriptRetryTimeoutMs,
      retryIntervalMs: config.scriptRetryIntervalMs,
      killGraceMs: DEFAULT_UPDATE_SETTINGS.killGraceMs,
      noexec: config.noexecPrograms,
      signal,
    });
    await scripts.run(set, set.startsWith("Idle_") ? true : undefined);
  };
}
