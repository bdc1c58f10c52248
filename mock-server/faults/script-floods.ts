import { defineFault } from "./fault.ts";
import { ScriptSet } from "./language/names.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";

export const scriptFloods = defineFault("program", {
  meaning: "State scripts of this set write 20,000 lines to their outputs.",
  value: ScriptSet,
  where: INSIDE_THE_DEVICE,
  effect: (of) => ({ program: "script", of, trouble: "floods" }),
});
