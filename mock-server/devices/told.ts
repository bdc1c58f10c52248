import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import { keepable, keepableText } from "../texts.ts";
import type { AttributeValue } from "./filters/match.ts";

/** An attribute that a device told of itself. */
export interface ToldAttribute {
  readonly name: string;
  readonly value: AttributeValue;
  readonly description?: string;
}

/** What a device told of itself: what can be kept, by its name, and of each of the others why it cannot. */
export interface Told {
  readonly kept: ReadonlyMap<string, ToldAttribute>;
  readonly leftOut: readonly string[];
}

const { inventoryNameMax: NAME_CHARACTERS_MAX, inventoryNameBytesMax: NAME_BYTES_MAX } = PROTOCOL_LIMITS;
const SHOWN_CHARACTERS_MAX = 60;
const VALUE = "the value must be a text, a number, or a list of texts or of numbers";

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…"` : text;
}

/** Why an attribute cannot have this name; `undefined`: it can. */
export function nameFault(name: string): string | undefined {
  if (name === "" || name.length > NAME_CHARACTERS_MAX) {
    return `the name ${shown(name)} must have 1 to ${NAME_CHARACTERS_MAX} characters`;
  }
  const bytes = Buffer.byteLength(name);
  return bytes <= NAME_BYTES_MAX
    ? undefined
    : `the name ${shown(name)} must have at most ${NAME_BYTES_MAX} bytes, not ${bytes}`;
}

function isValue(value: unknown): value is AttributeValue {
  if (!Array.isArray(value)) return typeof value === "string" || Number.isFinite(value);
  return value.every((item) => typeof item === "string") || value.every((item) => Number.isFinite(item));
}

/** @returns The attribute; or, as a text, why it cannot be kept. */
function attributeOf(told: unknown, place: string): ToldAttribute | string {
  if (typeof told !== "object" || told === null || Array.isArray(told)) {
    return `${place}: must be an object with name and value, not ${shown(told)}`;
  }
  const { name, value, description } = told as Readonly<Record<string, unknown>>;
  if (typeof name !== "string") return `${place}: the name must be a text, not ${shown(name)}`;
  const fault = nameFault(name);
  if (fault !== undefined) return `${place}: ${fault}`;
  if (!isValue(value)) return `${shown(name)}: ${VALUE}, not ${shown(value)}`;
  return {
    name: keepableText(name),
    value: keepable(value) as AttributeValue,
    ...(typeof description === "string" ? { description: keepableText(description) } : {}),
  };
}

/** Part what can be kept from what cannot: one bad attribute must not keep the others away. */
export function sift(told: readonly unknown[]): Told {
  const kept = new Map<string, ToldAttribute>();
  const leftOut: string[] = [];
  for (const [index, one] of told.entries()) {
    const attribute = attributeOf(one, `no. ${index + 1}`);
    if (typeof attribute === "string") leftOut.push(attribute);
    // Of a name that comes twice the last counts.
    else kept.set(attribute.name, attribute);
  }
  return { kept, leftOut };
}

/**
 * Leave out what would be more than a device may have. What it has already is changed in any case.
 * @param has Names of what stays as well.
 */
export function bounded({ kept, leftOut }: Told, has: ReadonlySet<string>): Told {
  const max = PROTOCOL_LIMITS.inventoryAttributesMax;
  let room = max - has.size;
  const fits = new Map<string, ToldAttribute>();
  const tooMany: string[] = [];
  for (const [name, attribute] of kept) {
    if (!has.has(name) && room <= 0) {
      tooMany.push(`${shown(name)}: a device has at most ${max} attributes`);
      continue;
    }
    if (!has.has(name)) room -= 1;
    fits.set(name, attribute);
  }
  return { kept: fits, leftOut: [...leftOut, ...tooMany] };
}
