import { defineFault } from "./fault.ts";
import { ModuleCall } from "./language/names.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";

export const moduleHangs = defineFault("program", {
  meaning: "The update module does not return from this call.",
  value: ModuleCall,
  where: INSIDE_THE_DEVICE,
  effect: (of) => ({ program: "module", of, trouble: "hangs" }),
});
