import type { Stage } from "./stage.ts";
import type { RunRecord } from "./verdict.ts";

/** A stage whose devices can be asked for their software. */
export interface RecordedStage extends Pick<Stage, "scenario" | "history" | "time" | "deployment"> {
  readonly devices: ReadonlyMap<
    string,
    { readonly software: string; readonly provides: Readonly<Record<string, string>> }
  >;
}

/** The facts that expectations are judged by, as they are now. */
export async function recordOf(stage: RecordedStage): Promise<RunRecord> {
  const { scenario, history, time } = stage;
  const deployments = new Map<string, NonNullable<Awaited<ReturnType<Stage["deployment"]>>>>();
  for (const { name } of scenario.deployments) {
    const found = await stage.deployment(name);
    if (found !== undefined) deployments.set(name, found);
  }
  const devices = [...stage.devices].map(([name, { software, provides }]) => [name, { software, provides }] as const);
  return {
    startMs: scenario.starts,
    nowMs: time.nowMs,
    events: history.events,
    devices: new Map(devices),
    deployments,
  };
}
