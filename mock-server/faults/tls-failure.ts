import * as z from "zod";
import type { ConnectError } from "./effects/exchange.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";

const ERRORS = {
  handshake: "EPROTO",
  expired: "CERT_HAS_EXPIRED",
  not_yet_valid: "CERT_NOT_YET_VALID",
  unknown_issuer: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  other_host: "ERR_TLS_CERT_ALTNAME_INVALID",
} as const satisfies Readonly<Record<string, ConnectError>>;

const NAMES = Object.keys(ERRORS) as (keyof typeof ERRORS)[];

export const tlsFailure = defineFault("exchange", {
  meaning: "The TLS connection cannot be made.",
  value: z.enum(NAMES, { error: `one of ${NAMES.join(", ")}` }),
  where: {
    ...EVERYWHERE,
    attached: "the device trusts whom it trusts",
    control: "the connection is there before the server knows which device it is",
  },
  differs: { real: "the agent's process meets the error of the TLS library; no handshake takes place" },
  effect: (value) => ({ connectError: ERRORS[value] }),
});
