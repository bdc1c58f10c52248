import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import { DeviceClient } from "../../agent/server/client.ts";
import { Downloads } from "../../agent/server/download.ts";
import { Servers } from "../../agent/server/failover.ts";
import { HttpClient } from "../../agent/server/http.ts";
import { Login } from "../../agent/server/login.ts";
import { proxiesFrom } from "../../agent/server/proxies.ts";
import { SERVER } from "./server-model.ts";

const NO_PROXIES = proxiesFrom({});
/** A signature takes real time on a real processor, and nobody looks at this one. */
const KEY = { publicPem: "PUBLIC KEY", sign: () => "signature" };

/** Artifacts are small here. */
const LEAP_BYTES_MIN = 512;

/** The true client of the device APIs, as the daemon has it; what it asks goes through the simulated network. */
export function deviceClient(system: System, logger: Logger): DeviceClient {
  const http = new HttpClient(system, {
    tls: {},
    proxies: NO_PROXIES,
    redirectHosts: [],
    servers: [],
    connectionIdleMs: 300_000,
    answerMsMax: 600_000,
    version: "0",
  });
  const login = new Login(http, {
    tenantToken: "",
    tier: "standard",
    key: KEY,
    readIdentity: async () => '{"mac":"02:00:00:00:00:01"}',
  });
  const settings = { triesMax: 10, pauseMsMax: 300_000, bytesPerSecondMax: 0, leapBytesMin: LEAP_BYTES_MIN };
  const downloads = new Downloads(system, http, settings, logger);
  return new DeviceClient(http, login, downloads, new Servers([SERVER], system.clock, 60_000));
}
