import { type RunMode, reasonsAgainst } from "../../faults/index.ts";
import { ANY_DEVICE, type Scenario } from "../file/index.ts";

type LiveMode = Exclude<RunMode, "simulated">;

const NO_CERTIFICATE = "the devices reach the server without TLS";
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
  for (const { agent, module, boot_limit, data_partition, name } of scenario.fleet) {
    if (agent === "timer") no(`${name}: agent by a timer`, "real devices run the daemon");
    if (data_partition !== undefined) no(`${name}: data_partition`, "only a simulated device has disks at will");
    if (mode === "real" && (module.kind === "slots" || boot_limit !== 1))
      no(`${name}: a module of the kind slots`, "no process of this machine has a boot loader");
  }
  if (scenario.releases.some(({ artifacts }) => artifacts.some(({ config }) => config !== undefined)))
    no("config of an artifact", mode === "real" ? "the runner writes the configuration of the agents" : OF_THE_DEVICE);
  const trusting = [...scenario.fleet, ...scenario.releases.flatMap(({ artifacts }) => artifacts)];
  if (trusting.some(({ trusts }) => trusts !== undefined)) no("trusts", NO_CERTIFICATE);
  if (scenario.expect.some(({ rate }) => rate !== undefined))
    no(
      "rate",
      "the time of the scenario stands still while real programs work: what happens in one minute of it says nothing",
    );
  if (mode === "attached") findUnsupportedAttached(scenario, no);
  else findAgentTimers(scenario, no);
  return [...found];
}

const OWN_TIMER = "the agent ends it by a timer of its own, in real time";

/** What depends on times that the agent measures itself, and that are not shortened as those of the scenario are. */
function findAgentTimers(scenario: Scenario, no: (what: string, why: string) => void): void {
  for (const { name, config } of scenario.fleet)
    for (const key of ["UpdatePollSchedule", "InstallWindow"])
      if (config[key] !== undefined) no(`${name}: ${key}`, "all devices have the clock of this machine");
  for (const { what, devices } of scenario.faults) {
    const limit = endedByTheAgent(what);
    if (limit !== undefined && expectsATime(scenario, devices)) no(`${limit} with an expected time`, OWN_TIMER);
  }
}

/** What goes on until the agent gives up. */
function endedByTheAgent({ fault, value }: Scenario["faults"][number]["what"]): string | undefined {
  if (fault === "module_hangs" || fault === "script_hangs") return fault;
  return JSON.stringify(value)?.includes('"silence"') ? `${fault} by silence` : undefined;
}

/** True if the time at which something happens to one of these devices is expected. @param devices Absent: to any. */
function expectsATime({ expect }: Scenario, devices: readonly string[] | undefined): boolean {
  return expect.some(
    ({ device, within, after, before }) =>
      device !== undefined &&
      (devices === undefined || device === ANY_DEVICE || devices.includes(device)) &&
      (within !== undefined || after !== undefined || before !== undefined),
  );
}

function leavesSome(value: unknown): boolean {
  return typeof value === "object" && value !== null && "leaves" in value && value.leaves !== undefined;
}

function findUnsupportedAction(
  { action, value }: Scenario["timeline"][number]["do"],
  mode: LiveMode,
  no: (what: string, why: string) => void,
): void {
  if (action === "clock") no("clock", mode === "real" ? "all devices have the clock of this machine" : OF_THE_DEVICE);
  if (action === "renew_certificate") no(action, NO_CERTIFICATE);
  if (action === "server_clock") no(action, "the server has the clock of its machine");
  if (action === "power_cut" && mode === "real" && leavesSome(value))
    no("power_cut with leaves", "only a simulated disk loses what was not synced");
  const ofDevice = [
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
