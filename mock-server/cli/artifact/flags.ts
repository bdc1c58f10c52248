import type { Argv, InferredOptionTypes, Options } from "yargs";

/** A flag that takes a value each time it is given. */
export const several = { type: "string", array: true, requiresArg: true } as const;
/** A flag that takes one value. */
export const one = { type: "string", requiresArg: true } as const;
/** A flag without a value. */
export const yes = { type: "boolean", default: false } as const;

export const JSON_FLAG = { json: { ...yes, describe: "Print JSON, for programs" } } as const;
export const PROGRESS_FLAG = { "no-progress": { ...yes, describe: "Show no progress bar" } } as const;

/** What `artifact --compression NAME` leaves for the commands that write. */
export interface CompressionFlag {
  readonly compression: string | undefined;
}

const camelCase = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/**
 * Adds flags. yargs makes a list of each repeated flag; of those that take one value the last counts, as in
 * `mender-artifact`: scripts append their caller's flags to their own.
 */
export function addFlags<T, const O extends Record<string, Options>>(
  argv: Argv<T>,
  flags: O,
): Argv<Omit<T, keyof O> & InferredOptionTypes<O>> {
  const single = Object.entries(flags).flatMap(([name, { array, alias }]) =>
    array === true ? [] : [name, camelCase(name), ...[alias ?? []].flat()],
  );
  return argv.options(flags).middleware((given) => {
    for (const name of single) {
      const value: unknown = Reflect.get(given, name);
      if (Array.isArray(value)) Reflect.set(given, name, value.at(-1));
    }
  }, true);
}
