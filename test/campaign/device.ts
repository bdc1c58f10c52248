import { openArtifact } from "@upkeep/shared/artifact";
import type { Logger } from "@upkeep/shared/logging";
import { Daemon } from "../../agent/daemon/daemon.ts";
import { Notifier } from "../../agent/daemon/notify.ts";
import { DeviceStore } from "../../agent/device/store.ts";
import { DEFAULT_UPDATE_SETTINGS, UpdateEngine } from "../../agent/update/index.ts";
import type { MainProgram } from "../../mock-server/scenarios/simulation/index.ts";
import { BOOTED_SLOT } from "./modules.ts";
import { ModelClient } from "./server-client.ts";
import { DATASTORE, MODULES, ROOTFS_SCRIPTS } from "./world.ts";

const RETRY_DELAY_MS = 60_000;
const RETRIES = 12;

const silent = (): void => undefined;
export const SILENT: Logger = {
  fatal: silent,
  error: silent,
  warning: silent,
  info: silent,
  debug: silent,
  trace: silent,
  with: () => SILENT,
};

export interface DeviceOptions {
  readonly logger: Logger;
  /** More than the default where many power cuts alone would count as a loop. */
  readonly stateVisitsMax: number;
  /** Makes another store of the true one: how the deliberately broken engine is made. */
  readonly wrapStore?: (store: DeviceStore) => DeviceStore;
}

/** What the machine runs: the daemon with the true engine and the true module runner, and the model server's client. */
export function deviceProgram({ logger, stateVisitsMax, wrapStore = (store) => store }: DeviceOptions): MainProgram {
  return async (system, boot) => {
    const booted = await system.files.open(BOOTED_SLOT, "write");
    await booted.write(new TextEncoder().encode(String(boot.slot?.slot ?? "")));
    await booted.close();
    const store = wrapStore(await DeviceStore.open(system.files, DATASTORE, logger));
    const server = new ModelClient(system);
    const engine = new UpdateEngine({
      system,
      logger,
      store,
      paths: { datastore: DATASTORE, logs: DATASTORE, modules: MODULES, rootfsScripts: ROOTFS_SCRIPTS },
      settings: { ...DEFAULT_UPDATE_SETTINGS, stateVisitsMax },
      openArtifact,
      deviceType: async () => "board",
      server,
      retryDelays: (attempt) => (attempt > RETRIES ? undefined : RETRY_DELAY_MS),
    });
    const backoff = { longestMs: 300_000, count: 0 };
    const daemon = new Daemon({
      system,
      server,
      engine,
      provides: async () => ({ device_type: "board", artifact_name: store.provides?.artifact_name ?? "unknown" }),
      inventory: async () => [],
      polls: { intervalMs: 1800_000, jitter: 0, backoff },
      inventories: { intervalMs: 28_800_000, jitter: 0, backoff },
      notifier: new Notifier(system, {}, logger),
      log: logger,
    });
    await daemon.run();
  };
}
