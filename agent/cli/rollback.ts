import { createEngine } from "../compose/compose-engine.ts";
import type { ExitCode } from "./globals.ts";
import { type StandaloneOptions, standalone } from "./standalone.ts";

/** `upkeep rollback`: go back to what ran before the installation by hand. */
export function rollback(options: StandaloneOptions): Promise<ExitCode> {
  return standalone("rollback", options, async (device, { signal, stops }) =>
    (await createEngine(device)).rollback(signal, stops),
  );
}
