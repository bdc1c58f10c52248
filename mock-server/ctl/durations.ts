import { DURATION_EXAMPLES, durationMs } from "@upkeep/shared/text";
import { usage } from "./failure.ts";

/**
 * A duration in milliseconds; it may be zero.
 * @throws CtlError (usage) that names the option
 */
export function parseDuration(option: string, text: string): number {
  const ms = durationMs(text);
  if (ms !== undefined) return ms;
  throw usage(`--${option} ${JSON.stringify(text)}: must be ${DURATION_EXAMPLES}`);
}
