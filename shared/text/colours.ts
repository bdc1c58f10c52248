/**
 * Whether to colour what a person reads.
 * @param environment Of the process. `NO_COLOR` with any value but an empty one (https://no-color.org), and a terminal
 *   that has no colours, forbid them.
 */
export function wantsColours(environment: Readonly<Record<string, string | undefined>>, isTerminal: boolean): boolean {
  return isTerminal && !environment.NO_COLOR && environment.TERM !== "dumb";
}
