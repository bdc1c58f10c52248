import { type Deployment, instantMs, type Scenario, type TimelineEntry, type Trigger } from "../file/index.ts";
import { act, isRefusal, refusalText } from "./actions.ts";
import { EventMatcher } from "./matching.ts";
import type { Stage } from "./stage.ts";

/** Starts the deployments of a scenario and the actions of its timeline. */
export class Timeline {
  readonly #world: Stage;
  /** The number of steps that have not begun. */
  #waiting = 0;
  #underWay = 0;
  readonly #failed: (error: unknown) => void;

  /** @param failed Called with errors that the scenario does not provide for. */
  constructor(world: Stage, failed: (error: unknown) => void) {
    this.#world = world;
    this.#failed = failed;
  }

  /** Nothing is left to be done. */
  get isDone(): boolean {
    return this.#waiting === 0 && this.#underWay === 0;
  }

  /** A step has begun and not ended. */
  get isActing(): boolean {
    return this.#underWay > 0;
  }

  begin({ deployments, timeline, faults, starts }: Scenario): void {
    for (const deployment of deployments) this.#when(deployment, starts, () => this.#deploy(deployment));
    for (const entry of timeline) this.#when(entry, starts, () => act(this.#world, entry.do));
    faults.forEach(({ when }, index) => {
      if (when !== undefined)
        this.#when({ when }, starts, async () => {
          this.#world.plan.begin(index);
          this.#world.setClocks();
        });
    });
    for (const { what, from, until } of faults)
      if (what.fault === "wrong_clock") {
        this.#world.setClocks();
        for (const instant of [from, until])
          if (instant !== undefined) this.#world.time.after(instantMs(instant, starts), () => this.#world.setClocks());
      }
  }

  async #deploy(deployment: Deployment): Promise<void> {
    this.#world.history.add({ kind: "action", what: `deployment ${deployment.name} is created` });
    try {
      await this.#world.atServer((operator) => operator.deploy(deployment));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#world.history.add({ kind: "refused", deployment: deployment.name, why: refusalText(error) });
    }
  }

  #when({ at, when }: Pick<TimelineEntry, "at" | "when">, startMs: number, action: () => Promise<void>): void {
    this.#waiting++;
    const run = (): void => {
      this.#waiting--;
      this.#underWay++;
      action()
        .catch(this.#failed)
        .finally(() => {
          this.#underWay--;
        });
    };
    if (when === undefined) this.#world.time.after(at === undefined ? 0 : instantMs(at, startMs), run);
    else this.#at(when, run);
  }

  /** Never called from within an event: its sender has not finished yet. */
  #at(trigger: Trigger, run: () => void): void {
    const matcher = new EventMatcher(trigger);
    let seen = 0;
    const end = this.#world.history.watch((event) => {
      if (!matcher.matches(event) || ++seen < (trigger.nth ?? 1)) return;
      end();
      this.#world.time.after(trigger.after ?? 0, run);
    });
  }
}
