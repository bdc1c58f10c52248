import { createEngine } from "../compose/compose-engine.ts";
import type { ExitCode } from "./globals.ts";
import { type StandaloneOptions, standalone } from "./standalone.ts";

/** `upkeep commit`: keep what was installed by hand. */
export function commit(options: StandaloneOptions): Promise<ExitCode> {
  return standalone("commit", options, async (device, { signal, stops }) =>
    (await createEngine(device)).commit(signal, stops),
  );
}
