import type { RequestKind } from "../../faults/language/request-kinds.ts";

/** The kind of the requests that the language counts under these names. */
export const REQUEST_OF = {
  polls: "poll",
  logins: "auth",
  downloads: "download",
  status_reports: "status",
  inventories: "inventory",
  logs_sent: "log",
} as const satisfies Readonly<Record<string, RequestKind>>;
