import type { HttpSettings } from "../../../agent/server/http.ts";

/** Settings of a device without proxies, allowed hosts and special certificates. */
export function httpSettings(settings: Partial<HttpSettings> = {}): HttpSettings {
  return {
    tls: {},
    proxies: { http: undefined, https: undefined, exceptions: [] },
    redirectHosts: [],
    servers: [],
    connectionIdleMs: 5000,
    answerMsMax: 60_000,
    version: "1",
    ...settings,
  };
}
