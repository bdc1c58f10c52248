import { type RunMode, reasonsAgainst } from "../../faults/index.ts";
import type { Scenario } from "../file/index.ts";

type LiveMode = Exclude<RunMode, "simulated">;

const NO_CERTIFICATE = "the device reaches the server without TLS";
const NO_TUNNEL = "the devices reach the server without TLS: they ask a proxy for no connection";
const OF_THE_DEVICE = "it happens inside the device, which is not in our hands";

/** Parts of a scenario that this mode does not support, each with the reason; empty if the scenario can be run. */
export function unsupportedIn(scenario: Scenario, mode: LiveMode): string[] {
  const found = new Set<string>();
  const no = (what: string, why: string): void => void found.add(`${what}: ${why}`);
  for (const { what, while: states, runs } of scenario.faults) {
    for (const [about, why] of reasonsAgainst(what, mode)) no(about, why);
    if (mode === "attached" && runs !== undefined) no(`${what.fault} while software runs`, "the device does not tell");
    if (mode === "attached" && states !== undefined) no(`${what.fault} while a state`, OF_THE_DEVICE);
  }
  for (const { do: action } of scenario.timeline) findUnsupportedAction(action, mode, no);
  if (scenario.fleet.some(({ agent }) => agent === "timer")) no("agent: timer", "real devices run the daemon");
  if (scenario.fleet.some(({ proxy }) => proxy)) no("proxy", mode === "real" ? NO_TUNNEL : OF_THE_DEVICE);
  if (scenario.fleet.some(({ data_partition }) => data_partition !== undefined))
    no("data_partition", "only a simulated device has disks at will");
  if (scenario.fleet.some(({ modified }) => modified > 0))
    no("modified", "what a device has at first is not in our hands");
  if (mode === "real" && scenario.fleet.some(({ module, boot_limit }) => module.kind === "slots" || boot_limit !== 1))
    no("a module of the kind slots", "no process of this machine has a boot loader");
  if (scenario.releases.some(({ artifacts }) => artifacts.some(({ config }) => config !== undefined)))
    no("config of an artifact", mode === "real" ? "the runner writes the configuration of the agents" : OF_THE_DEVICE);
  if (scenario.releases.some(({ artifacts }) => artifacts.some(({ trusts }) => trusts !== undefined)))
    no("trusts of an artifact", mode === "real" ? "what the agents trust stays as it is" : OF_THE_DEVICE);
  if (scenario.releases.some(({ artifacts }) => artifacts.some(({ alike }) => alike !== undefined)))
    no("alike of an artifact", "what a device has at first is not in our hands");
  if (mode === "attached" && scenario.fleet.some(({ trusts }) => trusts !== undefined)) no("trusts", NO_CERTIFICATE);
  if (mode === "attached" && scenario.expect.some(({ rate }) => rate !== undefined))
    no("rate", "the time of the scenario stands still while the device works");
  if (scenario.faults.some(({ what }) => what.fault === "slow") && isSilenceJudged(scenario))
    no("slow with silent_after", "the connection takes megabytes from the server at once: to it the device is silent");
  if (mode === "attached") findUnsupportedAttached(scenario, no);
  return [...found];
}

/** True if the server judges devices by their silence. */
function isSilenceJudged({ deployments }: Scenario): boolean {
  return deployments.some(({ silent_after }) => silent_after !== undefined);
}

function leavesSome(value: unknown): boolean {
  return typeof value === "object" && value !== null && "leaves" in value && value.leaves !== undefined;
}

function findUnsupportedAction(
  { action, value }: Scenario["timeline"][number]["do"],
  mode: LiveMode,
  no: (what: string, why: string) => void,
): void {
  if (action === "renew_certificate" && mode === "attached") no(action, NO_CERTIFICATE);
  if (action === "power_cut" && mode === "real" && leavesSome(value))
    no("power_cut with leaves", "only a simulated disk loses what was not synced");
  const ofDevice = [
    "clock",
    "power_cut",
    "switch_off",
    "switch_on",
    "kill_agent",
    "check_update",
    "send_inventory",
    "set_inventory",
  ];
  if (mode === "attached" && ofDevice.includes(action)) no(action, OF_THE_DEVICE);
  if (mode === "attached" && action === "kill_server") no(action, "the device would have to find the new one");
}

function findUnsupportedAttached(scenario: Scenario, no: (what: string, why: string) => void): void {
  const devices = scenario.fleet.reduce((sum, { count = 1 }) => sum + count, 0);
  if (devices !== 1) no(`a fleet of ${devices}`, "one device is attached");
  for (const { expect } of [scenario])
    for (const { runs, enters, downloads, boots, provides, counts, does_not_boot } of expect) {
      if (runs !== undefined || provides !== undefined)
        no("expecting what runs on the device", "the device does not tell");
      if (enters !== undefined) no("expecting a state", "the device does not tell its states");
      if (boots !== undefined || does_not_boot !== undefined) no("expecting a boot", "the device does not tell");
      if (downloads !== undefined) no("expecting how far a download got", "the device does not tell");
      if (counts !== undefined && Object.keys(counts).some((name) => /^[A-Z]|boots/.test(name)))
        no("counting what happens on the device", "the device does not tell");
    }
  for (const { when } of [...scenario.timeline, ...scenario.deployments])
    if (when !== undefined && (when.enters ?? when.runs ?? when.boots ?? when.downloads) !== undefined)
      no("a moment on the device", "the device does not tell");
}
