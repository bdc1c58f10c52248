import { isSystemError, type System } from "@upkeep/shared/system";
import { describeFleet } from "../../scenarios/fleet/description.ts";
import type { FleetSnapshot } from "../../scenarios/fleet/figures.ts";
import { Fleet } from "../../scenarios/fleet/fleet.ts";
import { identityOf, keyOf } from "../../scenarios/fleet/virtual-device.ts";
import { acceptDevices } from "../../scenarios/management/acceptance.ts";
import { ManagementClient, ManagementError } from "../../scenarios/management/client.ts";
import { NodeNetwork } from "../../system/network.ts";
import { peakMemoryBytes, processorMs } from "../../system/usage.ts";
import { CommandError } from "../failure.ts";
import { credentialsOf } from "../management.ts";
import type { FleetGoal, RealSettings } from "./fleet-settings.ts";
import { type LiveText, openLiveText } from "./live-text.ts";

const LOOK_MS = 1000;

/** The result of a run. */
export interface FleetResult {
  readonly seconds: number;
  readonly snapshot: FleetSnapshot;
  /** Processor time of this program, in seconds; and the most memory that was seen. */
  readonly processorSeconds: number;
  readonly memoryMegabytes: number;
  /** Why the run is a failure; empty if it is none. */
  readonly failures: readonly string[];
}

async function acceptAll(
  system: System,
  network: NodeNetwork,
  args: Readonly<Record<string, unknown>>,
  settings: RealSettings,
  live: LiveText,
): Promise<void> {
  const { plan } = settings;
  const credentials = await credentialsOf(system, args);
  if (credentials === undefined) throw new CommandError("--accept needs --user with a password, or UPKEEP_TOKEN");
  const devices = Array.from({ length: plan.devices }, (_, index) => ({
    identity: identityOf(plan.seed, index + 1),
    publicPem: keyOf(plan.seed, index + 1).publicPem,
  }));
  try {
    const client = await ManagementClient.open(network, plan.server, credentials, plan.tls);
    await acceptDevices(client, devices, (count) => {
      if (count % 100 === 0 || count === plan.devices) live.show([`letting in: ${count} of ${plan.devices} devices`]);
    });
  } catch (error) {
    if (error instanceof ManagementError || isSystemError(error)) throw new CommandError(`--accept: ${error.message}`);
    throw error;
  }
}

function failuresOf(snapshot: FleetSnapshot, errorsMax: number): string[] {
  const unanswered = Object.values(snapshot.connectionFaults).reduce((sum, count) => sum + count, 0);
  const errors = unanswered + snapshot.serverFailures;
  const share = errors / Math.max(1, snapshot.exchangesInAll + unanswered);
  const { outside } = snapshot.devices;
  return [
    ...(share > errorsMax ? [`${errors} requests failed, ${(share * 100).toFixed(3)} % of all`] : []),
    ...(outside > 0 ? [`${outside} devices were never let in, or never came to poll`] : []),
  ];
}

function reached(goal: FleetGoal, { devices, updates }: FleetSnapshot): boolean {
  if (goal.kind === "in") return devices.outside === 0;
  return updates.succeeded + updates.failed + updates.aborted >= goal.count;
}

/** Run a fleet against a real server until it is to end. @throws CommandError */
export async function runRealFleet(
  system: System,
  settings: RealSettings,
  args: Readonly<Record<string, unknown>>,
  showLive: boolean,
): Promise<FleetResult> {
  const { clock, timers, processes } = system;
  const { plan, connectionsMax, keepAlive, durationMs, until, errorsMax } = settings;
  const live = openLiveText(showLive);
  const ending = new AbortController();
  const unsubscribes = (["SIGINT", "SIGTERM"] as const).map((name) => processes.onSignal(name, () => ending.abort()));
  const network = new NodeNetwork({ connectionsMax, keepAlive });
  try {
    if (settings.accept) await acceptAll(system, network, args, settings, live);
    const fleet = new Fleet({ clock, timers, network }, plan);
    const begun = clock.monotonic();
    const usedBefore = processorMs();
    const seconds = (): number => (clock.monotonic() - begun) / 1000;
    fleet.start();
    let earlier: { snapshot: FleetSnapshot; seconds: number } | undefined;
    for (let ended = false; !ended && !ending.signal.aborted; ) {
      const leftMs = durationMs === undefined ? LOOK_MS : Math.min(LOOK_MS, durationMs - seconds() * 1000);
      await timers.sleep(Math.max(leftMs, 1), ending.signal).catch((error: unknown) => {
        if (!ending.signal.aborted) throw error;
      });
      const snapshot = fleet.snapshot();
      ended =
        (durationMs !== undefined && seconds() * 1000 >= durationMs) ||
        (until !== undefined && reached(until, snapshot));
      const now = seconds();
      live.show(describeFleet(snapshot, now, earlier));
      earlier = { snapshot, seconds: now };
    }
    // Requests that stopping breaks off are no failures of the server.
    const snapshot = fleet.snapshot();
    const result = {
      seconds: Number(seconds().toFixed(1)),
      snapshot,
      processorSeconds: Number(((processorMs() - usedBefore) / 1000).toFixed(1)),
      memoryMegabytes: Math.round(peakMemoryBytes() / 1e6),
      failures: failuresOf(snapshot, errorsMax),
    };
    await fleet.stop();
    return result;
  } finally {
    live.clear();
    network.close();
    for (const unsubscribe of unsubscribes) unsubscribe();
  }
}
