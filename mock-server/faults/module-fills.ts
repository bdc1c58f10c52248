import { defineFault } from "./fault.ts";
import { ModuleCall } from "./language/names.ts";
import { simulatedOnly } from "./language/places.ts";

export const moduleFills = defineFault("program", {
  meaning:
    "The update module takes every byte and inode of the device's data partition in this call, and fails; its Cleanup gives them back. For devices with a data_partition.",
  value: ModuleCall,
  where: simulatedOnly(),
  effect: (of) => ({ program: "module", of, trouble: "fills" }),
});
