import { isSystemError } from "@upkeep/shared/system";
import { printable } from "@upkeep/shared/text";
import { AgentError } from "../errors.ts";

/** One clear line for what a person can act on; the whole trace for what is a fault of ours. */
export function explain(error: unknown): string {
  if (error instanceof AgentError || isSystemError(error)) return printable(error.message);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
