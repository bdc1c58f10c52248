/**
 * The agent's face for others, such as simulations: the update engine, the daemon and the protocol client, each
 * given a door. The program itself is `cli/`.
 */

export { Daemon, type DaemonEngine, type DaemonParts, type DaemonServer } from "./daemon/daemon.ts";
export { Notifier } from "./daemon/notify.ts";
export type { TaskSettings } from "./daemon/schedule.ts";
export type { DeviceKey } from "./device/keys.ts";
export { deviceProvides, installedProvides, UNKNOWN_ARTIFACT } from "./device/provides.ts";
export { DeviceStore } from "./device/store.ts";
export { AgentError } from "./errors.ts";
export { type BackoffSchedule, pauseBeforeRetry } from "./server/backoff.ts";
export { DeviceClient } from "./server/client.ts";
export { type DownloadSettings, Downloads } from "./server/download.ts";
export { Servers } from "./server/failover.ts";
export { HttpClient, type HttpSettings } from "./server/http.ts";
export { type Credentials, Login } from "./server/login.ts";
export * from "./update/index.ts";
