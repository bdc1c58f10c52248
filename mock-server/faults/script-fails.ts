import { defineFault } from "./fault.ts";
import { ScriptSet } from "./language/names.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";

export const scriptFails = defineFault("program", {
  meaning: "State scripts of this set fail.",
  value: ScriptSet,
  where: INSIDE_THE_DEVICE,
  effect: (of) => ({ program: "script", of, trouble: "fails" }),
});
