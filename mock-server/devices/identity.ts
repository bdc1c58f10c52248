import { DomainError } from "../errors.ts";

/** The maximum nesting of identity data. */
const DEPTH_MAX = 8;

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** The identity data of a device. */
export interface Identity {
  /** JSON with the keys of every object sorted and no white space: equal identities are equal texts. */
  readonly json: string;
  readonly attributes: readonly (readonly [name: string, value: JsonValue])[];
}

/**
 * Parses `id_data` of an authorisation request.
 * @throws DomainError (invalid) if it is no JSON object.
 */
export function parseIdentity(idData: string): Identity {
  let value: unknown;
  try {
    value = JSON.parse(idData);
  } catch (error) {
    throw invalidIdentity("id_data must be a JSON object", { cause: error });
  }
  return identityOf(value);
}

/** @throws DomainError (invalid) if `value` is no JSON object. */
export function identityOf(value: unknown): Identity {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidIdentity("id_data must be a JSON object");
  }
  const attributes = sortedEntries(value);
  return { json: canonical(value, 0), attributes: attributes as [string, JsonValue][] };
}

/** The attributes as an object, for display. */
export function identityAttributes(json: string): Record<string, JsonValue> {
  return JSON.parse(json) as Record<string, JsonValue>;
}

function invalidIdentity(fault: string, options?: ErrorOptions): DomainError {
  return new DomainError("invalid-auth-request", { fault }, options);
}

function canonical(value: unknown, depth: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (depth >= DEPTH_MAX) throw invalidIdentity(`id_data is nested deeper than ${DEPTH_MAX} levels`);
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(",")}]`;
  const members = sortedEntries(value).map(([key, item]) => `${JSON.stringify(key)}:${canonical(item, depth + 1)}`);
  return `{${members.join(",")}}`;
}

function sortedEntries(value: object): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
