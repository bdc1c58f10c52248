import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import { createEngine } from "../../agent/compose/compose-engine.ts";
import { type AgentContext, withDevice } from "../../agent/compose/context.ts";
import { PartMaker, type Replacements } from "../../agent/compose/parts.ts";
import { runAgent } from "../../agent/compose/run-agent.ts";
import { loadConfig } from "../../agent/config/load.ts";
import type { ArtifactSource } from "../../agent/update/index.ts";
import type { Store } from "../../agent/update/store.ts";
import type { MainProgram } from "../../mock-server/scenarios/simulation/index.ts";
import { writeBootedSlot } from "../../mock-server/scenarios/world/agent.ts";
import { SYNCHRONOUS_DECOMPRESSORS } from "../../mock-server/scenarios/world/decompression.ts";
import type { Person } from "./person.ts";
import { DATASTORE, NEW } from "./world.ts";

/** Far below what a device does: artifacts are small here. */
const STORING_PACE = { bytes: 2048, ms: 60_000 };
const LEAP_BYTES_MIN = 512;
const REBOOT_MS_MAX = 24 * 3600_000;
const KEY = { publicPem: "PUBLIC KEY", sign: () => "signature" };

export interface DeviceOptions {
  readonly logger: Logger;
  /** More than the default where many power cuts alone would count as a loop. */
  readonly stateVisitsMax: number;
  /** Who may have something to install by hand. */
  readonly person: Person;
  /** What is installed by hand. */
  readonly artifact: Uint8Array;
  /** Makes another store of the true one: how the deliberately broken engine is made. */
  readonly wrapStore?: (store: Store) => Store;
  /** Another door than the true one, likewise. */
  readonly wrapSystem?: (system: System) => System;
}

/** What the campaign replaces of the agent, besides the mistakes that it plants in the store. */
function replacementsOf({ stateVisitsMax, wrapStore }: DeviceOptions): Replacements {
  return {
    // A signature takes as long as the rest of a boot, and the model of the server checks none.
    key: () => KEY,
    downloadSettings: async (make) => ({ ...(await make()), leapBytesMin: LEAP_BYTES_MIN }),
    updateSettings: async (make) => ({ ...(await make()), stateVisitsMax, storingPace: STORING_PACE }),
    ...given({ store: wrapStore && (async (make: () => Promise<Store>) => wrapStore(await make())) }),
  };
}

/** A person installs by hand, before the daemon starts. */
async function installByHand(context: AgentContext, person: Person, artifact: Uint8Array): Promise<void> {
  const { power, timers } = context.system;
  await withDevice(context, "install", async (device) => {
    const engine = await createEngine(device);
    for (;;) {
      const source: ArtifactSource = {
        sizeBytes: artifact.length,
        content: (async function* () {
          yield artifact;
        })(),
        close: async () => undefined,
      };
      const next = await person.act(engine, source, device.store.provides?.artifact_name === NEW);
      if (next === false) return;
      if (next === true) continue;
      await power.reboot();
      await timers.sleep(REBOOT_MS_MAX);
    }
  });
}

/** What the machine runs: the agent as its command line runs it, with the replacements of the campaign. */
export function deviceProgram(options: DeviceOptions): MainProgram {
  const { logger: log, person, artifact, wrapSystem = (system) => system } = options;
  return async (machine, { slot, pid, environment }) => {
    const system = wrapSystem(machine);
    await writeBootedSlot(system, slot?.slot);
    const loaded = await loadConfig(system.files, { datastore: DATASTORE });
    const parts = new PartMaker(replacementsOf(options));
    const decompressors = SYNCHRONOUS_DECOMPRESSORS;
    const context = { ...loaded, system, environment, pid, decompressors, log, parts };
    if (person.plan !== undefined) await installByHand(context, person, artifact);
    await runAgent(context);
  };
}
