import { defineFault } from "./fault.ts";
import { ModuleCall } from "./language/names.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";

export const moduleFails = defineFault("program", {
  meaning: "The update module fails in this call, half-way through.",
  value: ModuleCall,
  where: INSIDE_THE_DEVICE,
  effect: (of) => ({ program: "module", of, trouble: "fails" }),
});
