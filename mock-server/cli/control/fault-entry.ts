import { parseDocument } from "yaml";
import { CommandError } from "../failure.ts";

/** Options of the command line → keys of a fault in a scenario file. */
const KEYS = { to: "to", device: "devices", while: "while", count: "count", probability: "probability" } as const;

/**
 * A fault as in a scenario file, made of the YAML and the options of the command line.
 * @throws CommandError if it is no YAML, or no mapping.
 */
export function faultEntry(args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const text = String(args.FAULT);
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new CommandError(`FAULT ${JSON.stringify(text)}: ${error.message.split("\n", 1)[0]}`);
  const value: unknown = document.toJS();
  // A name alone is a fault without settings.
  const entry = typeof value === "string" ? { [value]: true } : value;
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    throw new CommandError(`FAULT ${JSON.stringify(text)}: must be NAME: VALUE, such as 'answer: {status: 503}'`);
  }
  const options = Object.entries(KEYS).filter(([option]) => args[option] !== undefined);
  return { ...entry, ...Object.fromEntries(options.map(([option, key]) => [key, args[option]])) };
}
