import { DEVICE_PATHS } from "@upkeep/shared/protocol";

/** The kinds of requests that devices send. */
export const REQUEST_KINDS = [
  "auth",
  "poll",
  "status",
  "log",
  "inventory",
  "download",
  "index",
  "chunks",
  "configuration",
  "other",
] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

/** Requests for artifacts. */
export const DOWNLOADS: readonly RequestKind[] = ["download"];
/** Requests for stored objects: artifacts, their indexes, and their chunks. */
export const STORED: readonly RequestKind[] = ["download", "index", "chunks"];
/** Requests whose answers are JSON texts. */
export const ANSWERED_WITH_JSON: readonly RequestKind[] = [
  "auth",
  "poll",
  "status",
  "log",
  "inventory",
  "configuration",
];

const STATUS_PATH = new RegExp(`^${DEVICE_PATHS.status("[^/]+")}$`);
const LOG_PATH = new RegExp(`^${DEVICE_PATHS.log("[^/]+")}$`);
const PREFIXES: readonly (readonly [string, RequestKind])[] = [
  ["/api/devices/v1/deployments/download/", "download"],
  ["/api/devices/v1/deviceconfig/", "configuration"],
];

/** An artifact's own link ends with its id. */
const PART = /^\/api\/devices\/v1\/deployments\/download\/artifact\/[^/]+\/(index|chunks)$/;

/** @param url Path and query. @returns `undefined` if the path is not in the device API. */
export function requestKind(url: string): RequestKind | undefined {
  const path = url.split("?", 1)[0] ?? "";
  if (!path.startsWith("/api/devices/")) return undefined;
  if (path === DEVICE_PATHS.authRequests) return "auth";
  if (path === DEVICE_PATHS.nextV1 || path === DEVICE_PATHS.nextV2) return "poll";
  if (path === DEVICE_PATHS.inventory) return "inventory";
  if (STATUS_PATH.test(path)) return "status";
  if (LOG_PATH.test(path)) return "log";
  const part = PART.exec(path)?.[1];
  if (part === "index" || part === "chunks") return part;
  return PREFIXES.find(([prefix]) => path.startsWith(prefix))?.[1] ?? "other";
}
