import { invalid } from "../../errors.ts";

const SHOWN_CHARACTERS_MAX = 60;

/**
 * Every engine keeps the same texts: PostgreSQL cannot store a NUL character, SQLite could.
 * @throws DomainError (invalid) if a parameter of a statement has one.
 */
export function refuseNul(parameters: readonly unknown[]): void {
  for (const parameter of parameters) {
    if (typeof parameter !== "string" || !parameter.includes("\0")) continue;
    const shown = JSON.stringify(parameter.slice(0, SHOWN_CHARACTERS_MAX));
    throw invalid(`a text with a NUL character cannot be kept or looked for: ${shown}`);
  }
}
