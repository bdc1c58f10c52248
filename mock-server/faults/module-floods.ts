import { defineFault } from "./fault.ts";
import { ModuleCall } from "./language/names.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";

export const moduleFloods = defineFault("program", {
  meaning: "The update module writes 20,000 lines to its outputs in this call.",
  value: ModuleCall,
  where: INSIDE_THE_DEVICE,
  effect: (of) => ({ program: "module", of, trouble: "floods" }),
});
