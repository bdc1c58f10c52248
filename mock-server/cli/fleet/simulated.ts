import type { System } from "@upkeep/shared/system";
import { domainRefusal } from "../../api/domain-refusals.ts";
import { DomainError } from "../../errors.ts";
import { plotStatuses } from "../../scenarios/fleet/simulated/plot.ts";
import { type SimulationResult, simulateFleet } from "../../scenarios/fleet/simulated/simulation.ts";
import { peakMemoryBytes, processorMs } from "../../system/usage.ts";
import { CommandError } from "../failure.ts";
import { writeText } from "../writing.ts";
import type { SimulatedSettings } from "./fleet-settings.ts";
import { openLiveText } from "./live-text.ts";

const DAY_MS = 86_400_000;

/** The result of a simulation and its cost. */
export interface SimulatedRun {
  readonly result: SimulationResult;
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly memoryMegabytes: number;
  readonly deviceDaysPerSecond: number;
}

/** Simulate a fleet, and write the plot if one is wanted. @throws CommandError */
export async function runSimulatedFleet(
  { clock, files }: Pick<System, "clock" | "files">,
  { plan, plot }: SimulatedSettings,
  showLive: boolean,
): Promise<SimulatedRun> {
  const live = openLiveText(showLive);
  const begun = clock.monotonic();
  const usedBefore = processorMs();
  try {
    const result = await simulateFleet(plan, (passedMs, { exchangesInAll, updates }) => {
      const days = (passedMs / DAY_MS).toFixed(2);
      const { begun: started, succeeded, failed } = updates;
      live.show([
        `day ${days} of ${plan.days}: ${exchangesInAll} exchanges, ${started} updates begun, ${succeeded} succeeded, ${failed} failed`,
      ]);
    });
    const seconds = (clock.monotonic() - begun) / 1000;
    if (plot !== undefined) {
      const { fleet, days, deployAtMs, phases } = plan;
      const title = `${fleet.devices} devices for ${days} days, seed ${fleet.seed}`;
      const marks = phases.map(({ afterMs }, index) => ({ atMs: deployAtMs + afterMs, label: `phase ${index + 1}` }));
      await writeText(files, "plot", plot, plotStatuses({ title, samples: result.samples, marks }));
    }
    return {
      result,
      seconds: Number(seconds.toFixed(1)),
      processorSeconds: Number(((processorMs() - usedBefore) / 1000).toFixed(1)),
      memoryMegabytes: Math.round(peakMemoryBytes() / 1e6),
      deviceDaysPerSecond: Math.round((plan.fleet.devices * plan.days) / seconds),
    };
  } catch (error) {
    // The deployment is the command line's: what the server says of it is about that.
    if (error instanceof DomainError)
      throw new CommandError(`the simulated server refuses: ${domainRefusal(error).message}`);
    throw error;
  } finally {
    live.clear();
  }
}
