import { createEngine } from "./engine.ts";
import type { ExitCode } from "./globals.ts";
import { type StandaloneOptions, standalone } from "./standalone.ts";

/** `upkeep commit`: keep what was installed by hand. */
export function commit(options: StandaloneOptions): Promise<ExitCode> {
  return standalone("commit", options, async (agent, { signal, stops }) =>
    (await createEngine(agent, {})).commit(signal, stops),
  );
}
