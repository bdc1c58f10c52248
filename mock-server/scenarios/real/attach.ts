import type { Scenario } from "../file/index.ts";
import type { RunResult } from "../run/result.ts";
import type { AttachOptions } from "./options.ts";
import { notPossible } from "./possible.ts";
import { playToItsEnd, refused } from "./run.ts";
import { RealWorld } from "./world.ts";

/** A device on the desk takes its time to poll. */
const PATIENCE_MS = 3600_000;

/**
 * Run a scenario with a device that is somewhere else, and polls this server. What is its own business is told, and
 * nothing is run then.
 */
export async function runAttached(
  scenario: Scenario,
  options: AttachOptions & { readonly patienceMs?: number },
): Promise<Omit<RunResult, "file" | "tookMs">> {
  const impossible = notPossible(scenario, "attached");
  if (impossible.length > 0) return refused(scenario, "attached", impossible);
  const world = await RealWorld.attach(scenario, options);
  try {
    return await playToItsEnd(world, "attached", { patienceMs: PATIENCE_MS, ...options });
  } finally {
    await world.close();
  }
}
