import { given } from "@upkeep/shared/given";
import { StatusReport } from "@upkeep/shared/protocol";
import type { FaultPlan } from "../../faults/index.ts";
import type { CarriedRequest } from "../../faults/wire/messages.ts";
import type { History } from "../run/events.ts";
import { isConnectionError } from "./connection-errors.ts";
import type { LiveDevice } from "./live-device.ts";
import type { ProxyPort } from "./proxy.ts";
import type { ServerProcess } from "./server-process.ts";

/** The parts of the world that one device's proxy uses. */
interface ProxyWorld
  extends Pick<
    ProxyPort,
    | "system"
    | "timers"
    | "pieceMs"
    | "bytesPerSecond"
    | "exchanges"
    | "artifactWith"
    | "killServer"
    | "broken"
    | "certificate"
  > {
  readonly server: ServerProcess;
  readonly plan: FaultPlan;
  readonly history: History;
  device(): LiveDevice;
  /** Resolves when the device may poll; see PollTurns. */
  turn(device: LiveDevice): Promise<void>;
  /** The server's state may have changed. */
  refresh(): Promise<void>;
}

/** Connects a device's proxy with the world: faults to apply, and events to record. */
export function proxyPortOf(name: string, world: ProxyWorld): ProxyPort {
  const { system, server, plan, history, device } = world;
  return {
    system,
    server: () => server.url,
    timers: world.timers,
    ...given({ pieceMs: world.pieceMs, bytesPerSecond: world.bytesPerSecond }),
    exchanges: world.exchanges,
    turn: async (kind) => {
      if (kind === "poll") await world.turn(device());
    },
    strikes: (kind) => {
      const strikes = plan.strikes("exchange", device().moment(kind));
      for (const { fault } of strikes) history.add({ kind: "fault", device: name, fault });
      return strikes;
    },
    certificate: world.certificate,
    artifactWith: world.artifactWith,
    killServer: world.killServer,
    answered: async (kind, { outcome, byServer }, request) => {
      device().touch();
      const status = byServer ?? outcome.status;
      if (kind === "poll" && status !== undefined) {
        // Within an update, the agent asks for a new link.
        if (status === 204) await device().rest();
        device().polled(status);
      }
      const reported = kind === "status" ? reportedIn(request) : undefined;
      history.add({
        kind: "exchange",
        device: name,
        request: kind,
        ...outcome,
        ...given({ reported }),
      });
      if ((outcome.status ?? 500) >= 400) device().failures++;
      await world.refresh();
    },
    failed: (kind, fault) => {
      device().failures++;
      history.add({ kind: "exchange", device: name, request: kind, fault });
    },
    sent: (bytes, position, size) => {
      history.add({ kind: "bytes", device: name, bytes });
      history.add({ kind: "received", device: name, receivedBytes: position });
      if (position >= size / 2) device().midway("Download");
    },
    broken: (error) => {
      device().failures++;
      // A killed server refuses connections: the scenario may intend that.
      if (server.up && !isConnectionError(error)) world.broken(error);
    },
  };
}

function reportedIn({ body }: CarriedRequest): string | undefined {
  try {
    return StatusReport.safeParse(JSON.parse(body.toString("utf8"))).data?.status;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
