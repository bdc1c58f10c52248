import { effectOf } from "../../faults/index.ts";
import type { Stage, StageDevice } from "./stage.ts";

interface ClockStage extends Pick<Stage, "scenario" | "history" | "plan" | "time"> {
  readonly devices: ReadonlyMap<string, Pick<StageDevice, "machine">>;
}

/** Sets the wall clocks of devices as the faults of a scenario require. */
export class WrongClocks {
  /** The devices whose clock a fault has set. */
  readonly #set = new Set<string>();

  set({ scenario, history, plan, time, devices }: ClockStage): void {
    for (const [name, { machine }] of devices) {
      const [strike] = plan.standing("clock", { device: name, atMs: time.nowMs });
      const wrongMs = strike === undefined ? 0 : effectOf<"clock">(strike).aheadMs;
      const wallMs = scenario.starts + time.nowMs + wrongMs;
      if (machine.wallMs === wallMs || (strike === undefined && !this.#set.has(name))) continue;
      this.#set.add(name);
      machine.setWallClock(wallMs);
      if (strike !== undefined) history.add({ kind: "fault", device: name, fault: "wrong_clock" });
    }
  }
}
