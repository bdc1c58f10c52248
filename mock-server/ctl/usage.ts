import type { PositionalSpec } from "./command.ts";

/** A positional as usage lines have it: `<release>`, `[device..]`. */
export function positionalUsage(name: string, { optional, several }: PositionalSpec): string {
  const word = `${name}${several ? ".." : ""}`;
  return optional ? `[${word}]` : `<${word}>`;
}
