import { openArtifact } from "@upkeep/shared/artifact";
import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import { Daemon } from "../../agent/daemon/daemon.ts";
import { Notifier } from "../../agent/daemon/notify.ts";
import { type ArtifactSource, DEFAULT_UPDATE_SETTINGS, UpdateEngine } from "../../agent/update/index.ts";
import { DeviceStore } from "../../agent/update/store.ts";
import type { MainProgram } from "../../mock-server/scenarios/simulation/index.ts";
import { BOOTED_SLOT, SLOTS } from "./modules.ts";
import type { Person } from "./person.ts";
import { deviceClient } from "./server-client.ts";
import { DATASTORE, MODULES, NEW, ROOTFS_SCRIPTS } from "./world.ts";

/** Far below what a device does: artifacts are small here. */
const PACE = { bytes: 2048, ms: 60_000 };
const RETRY_DELAY_MS = 60_000;
const RETRIES = 12;
const REBOOT_MS_MAX = 24 * 3600_000;

export interface DeviceOptions {
  readonly logger: Logger;
  /** More than the default where many power cuts alone would count as a loop. */
  readonly stateVisitsMax: number;
  /** Who may have something to install by hand. */
  readonly person: Person;
  /** What is installed by hand. */
  readonly artifact: Uint8Array;
  /** Makes another store of the true one: how the deliberately broken engine is made. */
  readonly wrapStore?: (store: DeviceStore) => DeviceStore;
  /** Another door than the true one, likewise. */
  readonly wrapSystem?: (system: System) => System;
}

/** What the kernel tells of the slot that was booted. */
async function tellSlot({ files }: System, slot: number | undefined): Promise<void> {
  const put = async (path: string, text: string): Promise<void> => {
    const file = await files.open(path, "write");
    await file.write(new TextEncoder().encode(text));
    await file.close();
  };
  await put(BOOTED_SLOT, String(slot ?? ""));
  if (slot === undefined) return;
  await files.makeDirectory("/proc/self");
  await put("/proc/self/mountinfo", `1 0 8:${slot} / / rw - ext4 ${SLOTS[slot]} rw\n`);
}

/** Somebody installs by hand, before the daemon starts. */
async function installByHand(
  system: System,
  person: Person,
  artifact: Uint8Array,
  engine: UpdateEngine,
  store: DeviceStore,
): Promise<void> {
  for (;;) {
    const source: ArtifactSource = {
      sizeBytes: artifact.length,
      content: (async function* () {
        yield artifact;
      })(),
      close: async () => undefined,
    };
    const next = await person.act(engine, source, store.provides?.artifact_name === NEW);
    if (next === false) return;
    if (next === true) continue;
    await system.power.reboot();
    await system.timers.sleep(REBOOT_MS_MAX);
  }
}

/** What the machine runs: the daemon with the true engine, the true module runner and the true client of the server. */
export function deviceProgram({
  logger,
  stateVisitsMax,
  person,
  artifact,
  wrapStore = (store) => store,
  wrapSystem = (system) => system,
}: DeviceOptions): MainProgram {
  return async (machine, boot) => {
    const system = wrapSystem(machine);
    await tellSlot(system, boot.slot?.slot);
    const store = wrapStore(await DeviceStore.open(system.files, DATASTORE, logger));
    const server = deviceClient(system, logger);
    const engine = new UpdateEngine({
      system,
      logger,
      store,
      paths: { datastore: DATASTORE, logs: DATASTORE, modules: MODULES, rootfsScripts: ROOTFS_SCRIPTS },
      settings: { ...DEFAULT_UPDATE_SETTINGS, stateVisitsMax, storingPace: PACE },
      openArtifact,
      deviceType: async () => "board",
      server,
      retryDelays: (attempt) => (attempt > RETRIES ? undefined : RETRY_DELAY_MS),
    });
    await installByHand(system, person, artifact, engine, store);
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
