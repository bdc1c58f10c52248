import type { Scenario } from "../file/index.ts";
import type { RunResult } from "../run/result.ts";
import { refused, runToEnd } from "./live-run.ts";
import type { AttachOptions } from "./options.ts";
import { RealWorld } from "./real-world.ts";
import { unsupportedIn } from "./unsupported.ts";

/** An attached device polls at its own interval. */
const PATIENCE_MS = 3600_000;

/**
 * Runs a scenario with an attached device, which polls this server. If the scenario needs control over the device, the
 * result lists why and nothing is run.
 */
export async function runAttached(
  scenario: Scenario,
  options: AttachOptions & { readonly patienceMs?: number },
): Promise<Omit<RunResult, "file" | "tookMs">> {
  const impossible = unsupportedIn(scenario, "attached");
  if (impossible.length > 0) return refused(scenario, "attached", impossible);
  const world = await RealWorld.attach(scenario, options);
  try {
    return await runToEnd(world, "attached", { patienceMs: PATIENCE_MS, ...options });
  } finally {
    await world.close();
  }
}
