import { DURATION_EXAMPLES, durationMs } from "@upkeep/shared/text";
import { CommandError } from "./failure.ts";

/**
 * A duration above zero, in milliseconds.
 * @throws CommandError that names the option and what would be right.
 */
export function parseDuration(option: string, value: string): number {
  const ms = durationMs(value) ?? 0;
  if (ms > 0) return ms;
  throw new CommandError(`--${option} ${JSON.stringify(value)}: must be ${DURATION_EXAMPLES}`);
}
