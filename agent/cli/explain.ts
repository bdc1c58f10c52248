import { isSystemError } from "@upkeep/shared/system";
import { printable } from "@upkeep/shared/text";
import { AgentError } from "../errors.ts";

/** One line for an error that an operator can act on; the stack for a bug. */
export function explain(error: unknown): string {
  if (error instanceof AgentError || isSystemError(error)) return printable(error.message);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
