import type { DeviceStore, StoreChange } from "../../agent/device/store.ts";

/**
 * The mistake that the campaign must find: the journal is written after the act. Each save waits in memory
 * until the next one, so that what is on the disk is always one state late.
 */
export function journalAfterTheAct(store: DeviceStore): DeviceStore {
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
