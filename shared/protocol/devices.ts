import * as z from "zod/mini";
import { wellFormed } from "../text/index.ts";
import { objectWithOthers } from "./every-key.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { optional, withoutNulls } from "./optional.ts";
import { REPORTED_STATUSES } from "./statuses.ts";
import { TIME_HINT, timeMs } from "./times.ts";

/** Paths of the device API, relative to the server's URL. */
export const DEVICE_PATHS = {
  authRequests: "/api/devices/v1/authentication/auth_requests",
  nextV1: "/api/devices/v1/deployments/device/deployments/next",
  nextV2: "/api/devices/v2/deployments/device/deployments/next",
  status: (deployment: string) => `/api/devices/v1/deployments/device/deployments/${deployment}/status`,
  log: (deployment: string) => `/api/devices/v1/deployments/device/deployments/${deployment}/log`,
  inventory: "/api/devices/v1/inventory/device/attributes",
} as const;

/** Header that carries the base64 signature over the exact bytes of an authorisation request. */
export const SIGNATURE_HEADER = "x-men-signature";

/** A time in RFC 3339 format. */
const Time = z.string().check(
  z.regex(/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/, { error: TIME_HINT, abort: true }),
  z.refine((text) => timeMs(text) !== undefined, TIME_HINT),
);

/** `POST auth_requests`: a device asks for a token. The answer is the token as plain text. */
export const AuthRequest = z.object({
  /** The attributes that identify the device: a serialised JSON object. */
  id_data: z.string().check(z.minLength(1)),
  /** PEM, `PUBLIC KEY`. */
  pubkey: z.string().check(z.minLength(1)),
  tenant_token: optional(z.string()),
  tier: optional(z.string()),
});
export type AuthRequest = z.infer<typeof AuthRequest>;

/** Lone surrogates cannot be stored or put into a link: they become U+FFFD. */
const told = z.string().check(z.overwrite(wellFormed));

/**
 * The provides that a device reports: `device_type`, `artifact_name` and all others. Every value that can be stored and
 * compared is accepted, even beyond the limits of an artifact ({@link PROVIDES_LIMITS}): a device with larger provides
 * must still be able to get the artifact that corrects them.
 */
export const DeviceProvides = objectWithOthers(
  {
    device_type: told.check(z.minLength(1), z.maxLength(PROTOCOL_LIMITS.textMax)),
    artifact_name: told.check(z.minLength(1)),
  },
  told,
);
export type DeviceProvides = z.infer<typeof DeviceProvides>;

/** The provides in a body. */
export const DeviceProvidesBody = z.nonoptional(z.pipe(z.transform(withoutNulls), DeviceProvides));

/** `POST v2 next`. */
export const NextRequest = z.object({
  device_provides: DeviceProvidesBody,
  /** Sent by clients of the 3.x line, which support pauses. */
  update_control_map: optional(z.boolean()),
});
export type NextRequest = z.infer<typeof NextRequest>;

/** Request header of a poll: the device can download adaptively. A server that does not know it ignores it. */
export const ADAPTIVE_HEADER = "x-upkeep-adaptive";

const Bytes = z.number().check(z.int(), z.nonnegative());
const Digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const Uri = z.string().check(z.minLength(1));

/** What an adaptive download of the artifact needs: the index of its chunks, and the chunks, both read by ranges. */
export const AdaptiveOffer = z.object({
  /** Bytes of the artifact: what a plain download costs. */
  artifact_size: Bytes,
  index: z.object({ uri: Uri, size: Bytes, sha256: Digest }),
  chunks: z.object({ uri: Uri, size: Bytes }),
  /** When the links stop working. */
  expire: optional(Time),
});
export type AdaptiveOffer = z.infer<typeof AdaptiveOffer>;

/** Why a device that was offered an adaptive download has downloaded the artifact plainly. */
export const PLAIN_REASONS = ["does-not-pay", "ranges-refused", "index-wrong", "chunk-wrong", "payload-wrong"] as const;
export type PlainReason = (typeof PLAIN_REASONS)[number];

/** What an adaptive download cost, in bytes. */
export const AdaptiveTransfer = z.object({
  /** The artifact's size: what a plain download costs. */
  needed: Bytes,
  /** Uncompressed bytes that the device had. */
  reused: Bytes,
  /** Bytes that came over the network, those of a plain download after it included. */
  fetched: Bytes,
  plain: optional(z.enum(PLAIN_REASONS)),
});
export type AdaptiveTransfer = z.infer<typeof AdaptiveTransfer>;

/** The answer to `next` (status 200): the artifact to install. */
export const DeploymentInstructions = z.object({
  id: z.string().check(z.minLength(1), z.maxLength(256), z.regex(/^[A-Za-z0-9_.-]+$/), z.regex(/[^.]/)),
  artifact: z.object({
    id: optional(z.string()),
    artifact_name: optional(z.string()),
    source: z.object({
      uri: z.string().check(z.minLength(1)),
      /** When the link stops working. */
      expire: optional(Time),
    }),
    device_types_compatible: optional(z.array(z.string())),
    /** An offer that cannot be understood is none: the artifact can be downloaded plainly. */
    adaptive: z.catch(optional(AdaptiveOffer), undefined),
  }),
});
export type DeploymentInstructions = z.infer<typeof DeploymentInstructions>;

/** `PUT status`. */
export const StatusReport = z.object({
  status: z.enum(REPORTED_STATUSES as [(typeof REPORTED_STATUSES)[number], ...(typeof REPORTED_STATUSES)[number][]]),
  substate: optional(z.string().check(z.maxLength(200))),
  /** What the download cost. One that cannot be understood is ignored: the status counts. */
  adaptive: z.catch(optional(AdaptiveTransfer), undefined),
});
export type StatusReport = z.infer<typeof StatusReport>;

export const LogMessage = z.object({
  timestamp: Time,
  level: z.string().check(z.minLength(1)),
  message: z.string().check(z.minLength(1)),
});
export type LogMessage = z.infer<typeof LogMessage>;

/** `PUT log`: the device's log of a failed deployment. */
export const DeploymentLog = z.object({ messages: z.array(LogMessage).check(z.minLength(1)) });
export type DeploymentLog = z.infer<typeof DeploymentLog>;

export const InventoryAttribute = z.object({
  name: z.string().check(z.minLength(1), z.maxLength(PROTOCOL_LIMITS.inventoryNameMax)),
  value: z.union([z.string(), z.number(), z.array(z.string()), z.array(z.number())]),
  description: optional(z.string()),
});
export type InventoryAttribute = z.infer<typeof InventoryAttribute>;

/** `PUT` (replace) or `PATCH` (merge) inventory. */
export const InventoryAttributes = z.array(InventoryAttribute);
export type InventoryAttributes = z.infer<typeof InventoryAttributes>;

/** Body of every error answer. */
export const ErrorBody = z.object({ error: z.string(), request_id: optional(z.string()) });
export type ErrorBody = z.infer<typeof ErrorBody>;
