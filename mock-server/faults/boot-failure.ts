import * as z from "zod";
import { defineFault } from "./fault.ts";
import { simulatedOnly } from "./language/places.ts";
import { Count } from "./language/quantities.ts";

export const bootFailure = defineFault("boot", {
  meaning: "What was just installed does not boot this many times; then it does.",
  value: z.strictObject({ times: Count }),
  where: simulatedOnly(),
  effect: ({ times }) => ({ failures: times }),
});
