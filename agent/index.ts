/** What simulations import of the agent: its composition, which takes any door. The command line is `cli/`. */

export type { AgentContext, Door, HeldDevice } from "./compose/context.ts";
export * from "./compose/from-config.ts";
export { loadEverything } from "./compose/lazy.ts";
export {
  type AgentParts,
  type MadePart,
  PartMaker,
  type PartName,
  type Replacement,
  type Replacements,
} from "./compose/parts.ts";
export { runAgent } from "./compose/run-agent.ts";
export { type CheckRun, runCheck } from "./compose/run-check.ts";
export { type ComposedDaemon, composeDaemon } from "./compose.ts";
export { type LoadedConfig, loadConfig } from "./config/load.ts";
export { systemPaths } from "./config/paths.ts";
export { type AgentConfig, settingsFrom } from "./config/settings.ts";
export { Daemon, type DaemonEngine, type DaemonParts, type DaemonServer } from "./daemon/daemon.ts";
export { MaintenanceWindows } from "./daemon/maintenance-windows.ts";
export { Notifier } from "./daemon/notify.ts";
export { roundScripts } from "./daemon/round-scripts.ts";
export type { TaskSettings } from "./daemon/schedule.ts";
export { readDeviceType } from "./device/device-type.ts";
export { readIdentity } from "./device/identity.ts";
export { collectInventory } from "./device/inventory.ts";
export { type DeviceKey, loadDeviceKey } from "./device/keys.ts";
export { deviceProvides, installedProvides, toldProvides, UNKNOWN_ARTIFACT } from "./device/provides.ts";
export { AgentError } from "./errors.ts";
export { StateScripts } from "./scripts/index.ts";
export { type BackoffSchedule, pauseBeforeRetry } from "./server/backoff.ts";
export { DeviceClient } from "./server/client.ts";
export { type DownloadSettings, Downloads } from "./server/download.ts";
export { Servers } from "./server/failover.ts";
export { type Http, HttpClient, type HttpSettings, type Question } from "./server/http.ts";
export { type Credentials, Login } from "./server/login.ts";
export { type Proxies, proxiesFrom } from "./server/proxies.ts";
export * from "./update/index.ts";
export { DeviceStore } from "./update/store.ts";
export { VERSION } from "./version.ts";
