import { DEVICE_PATHS } from "@upkeep/shared/protocol";

/** The kind of a device's request. */
export const EXCHANGE_KINDS = ["auth", "poll", "status", "log", "inventory", "download", "other"] as const;
export type ExchangeKind = (typeof EXCHANGE_KINDS)[number];

const DEPLOYMENT_PATH = /^\/api\/devices\/v1\/deployments\/device\/deployments\/[^/]+\/(status|log)$/;
const PREFIX = "/api/devices/";

/** @param path Path of the request's URL; a query is ignored. */
export function exchangeKind(path: string): ExchangeKind {
  const plain = path.split("?", 1)[0] ?? "";
  if (plain === DEVICE_PATHS.nextV2 || plain === DEVICE_PATHS.nextV1) return "poll";
  if (plain === DEVICE_PATHS.authRequests) return "auth";
  if (plain === DEVICE_PATHS.inventory) return "inventory";
  const of = DEPLOYMENT_PATH.exec(plain)?.[1];
  if (of === "status" || of === "log") return of;
  // The server chooses an artifact's URL: a path of its own, or an external store.
  return plain.startsWith(PREFIX) && !plain.includes("/download/") ? "other" : "download";
}
