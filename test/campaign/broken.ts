import { type System, SystemError } from "@upkeep/shared/system";
import type { Store, StoreChange } from "../../agent/update/store.ts";
import type { Disk } from "../../mock-server/scenarios/simulation/index.ts";
import { DATASTORE } from "./world.ts";

/**
 * The mistake that the campaign must find: the journal is written after the act. Each save waits in memory
 * until the next one, so that what is on the disk is always one state late.
 */
export function journalAfterTheAct(store: Store): Store {
  let late: StoreChange | undefined;
  const save = async (change: StoreChange): Promise<void> => {
    const before = late;
    late = structuredClone(change);
    if (before !== undefined) await store.save(before);
    if (change.update !== null) return;
    late = undefined;
    await store.save(change);
  };
  return new Proxy(store, {
    get: (target, key) => {
      if (key === "save") return save;
      if (key === "update" && late?.update !== undefined) return late.update ?? undefined;
      if (key === "provides" && late?.provides !== undefined) return late.provides;
      const part: unknown = Reflect.get(target, key, target);
      return typeof part === "function" ? part.bind(target) : part;
    },
  });
}

/** The mistake that a full disk must show: a store that has found no room once does not try again. */
export function givingUpWithoutRoom(store: Store, disk: Disk): Store {
  let full = false;
  return new Proxy(store, {
    get: (target, key) => {
      const part: unknown = Reflect.get(target, key, target);
      if (typeof part !== "function") return part;
      if (key !== "save") return part.bind(target);
      return async (change: StoreChange): Promise<void> => {
        full ||= disk.freeBytes(DATASTORE) <= 0;
        if (full) throw new SystemError("ENOSPC", "no room for the journal");
        await target.save(change);
      };
    },
  });
}

/** The mistake that a disk without programs must show: what cannot be run is left out. */
export function leavingOutPrograms(system: System): System {
  return { ...system, files: { ...system.files, isExecutable: async (path) => path.startsWith("/usr/") } };
}
