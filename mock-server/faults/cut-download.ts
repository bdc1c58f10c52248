import * as z from "zod";
import { defineFault } from "./fault.ts";
import { By } from "./language/moments.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Size } from "./language/quantities.ts";
import { STORED } from "./language/request-kinds.ts";

export const cutDownload = defineFault("exchange", {
  meaning:
    "The connection of a download breaks: `at` this byte of the artifact, index or chunks, or after `every` this many bytes.",
  value: z
    .strictObject({ at: Size.optional(), every: Size.optional(), by: By.optional() })
    .refine((value) => (value.at === undefined) !== (value.every === undefined), {
      error: "exactly one of at, every",
    }),
  where: EVERYWHERE,
  requests: STORED,
  effect: ({ at = 0, every, by = "reset" }, { startBytes }) => {
    const bytes = every ?? at - startBytes;
    // A download that goes on behind the byte is not hit.
    return bytes > 0 ? { cutBodyAt: bytes, cutBodyBy: by } : {};
  },
});
