import { defineFault } from "./fault.ts";
import { ScriptSet } from "./language/names.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";

export const scriptRetries = defineFault("program", {
  meaning: "State scripts of this set ask to be run again later (exit code 21).",
  value: ScriptSet,
  where: INSIDE_THE_DEVICE,
  effect: (of) => ({ program: "script", of, trouble: "retries" }),
});
