import type { System } from "@upkeep/shared/system";
import type { Output } from "../../system/environment.ts";
import type { Tether } from "../../system/tether.ts";
import { CommandError } from "../failure.ts";
import type { TriedDevice } from "./devices.ts";
import { isOver, type Operator } from "./operator.ts";

const LOOK_MS = 250;
/** Until something is taken for a failure: a busy machine may need a minute to start four agents. */
const WAIT_MS_MAX = 300_000;

export interface Stage {
  readonly system: System;
  readonly tether: Tether;
  /** Command line of the agent. */
  readonly agent: readonly [command: string, ...args: string[]];
  readonly server: { readonly url: string; readonly email: string; readonly password: string };
  readonly out: Pick<Output, "write">;
  /** Aborted when everything is to end. */
  readonly signal: AbortSignal;
}

/** Waits until `look` returns something. @throws CommandError with the devices' logs; the signal's reason. */
export async function until<T>(
  { system, signal }: Pick<Stage, "system" | "signal">,
  devices: readonly TriedDevice[],
  what: string,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const beganMs = system.clock.monotonic();
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    const ended = devices.find((device) => device.end() !== undefined);
    if (ended !== undefined) {
      throw new CommandError(`the agent of ${ended.plan.name} has ended (${ended.end()}):\n${ended.log()}`);
    }
    if (system.clock.monotonic() - beganMs > WAIT_MS_MAX) {
      const logs = devices.map(({ plan, log }) => `${plan.name}:\n${log()}`).join("\n");
      throw new CommandError(`${WAIT_MS_MAX / 1000} s have passed, and still not: ${what}\n${logs}`);
    }
    await system.timers.sleep(LOOK_MS, signal);
  }
}

/** Shows every status of a deployment's devices, also the one that was over between two looks, until all have ended. */
export async function follow(
  stage: Pick<Stage, "system" | "signal" | "out">,
  operator: Pick<Operator, "progress" | "statuses">,
  devices: readonly TriedDevice[],
  deployment: string,
  names: ReadonlyMap<string, string>,
): Promise<void> {
  const shown = new Map<string, readonly string[]>();
  await until(stage, devices, "the deployment is over", async () => {
    const progress = await operator.progress(deployment);
    for (const [id, { status }] of progress) {
      const before = shown.get(id) ?? [];
      if (before.at(-1) === status) continue;
      const statuses = status === "pending" ? [status] : await operator.statuses(deployment, id);
      shown.set(id, statuses);
      for (const next of statuses.slice(before.length)) {
        stage.out.write(`    ${(names.get(id) ?? id).padEnd(7)}${next}\n`);
      }
    }
    const over = [...names.keys()].every((id) => {
      const device = progress.get(id);
      return device !== undefined && isOver(device);
    });
    return over || undefined;
  });
}
