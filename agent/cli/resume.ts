import { createEngine } from "../compose/compose-engine.ts";
import type { ExitCode } from "./globals.ts";
import { type StandaloneOptions, standalone } from "./standalone.ts";

/** `upkeep resume`: go on with an installation by hand that was stopped, interrupted or waits for its commit. */
export function resume(options: StandaloneOptions): Promise<ExitCode> {
  return standalone("resume", options, async (device, { signal, stops }) =>
    (await createEngine(device)).resumeInstall(signal, stops),
  );
}
