import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import { keepable, keepableText } from "../texts.ts";
import type { AttributeValue } from "./filters/match.ts";

/** An attribute that a device reported. */
export interface ReportedAttribute {
  readonly name: string;
  readonly value: AttributeValue;
  readonly description?: string;
}

/** An inventory report: the valid attributes by name, and the reasons why others are left out. */
export interface InventoryReport {
  readonly kept: ReadonlyMap<string, ReportedAttribute>;
  readonly leftOut: readonly string[];
}

const { inventoryNameMax: NAME_CHARACTERS_MAX, inventoryNameBytesMax: NAME_BYTES_MAX } = PROTOCOL_LIMITS;
const SHOWN_CHARACTERS_MAX = 60;
const VALUE = "the value must be a text, a number, or a list of texts or of numbers";

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…"` : text;
}

/** Why the name of an attribute is refused; `undefined` if it is valid. */
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

/** @returns The attribute, or as a text why it is left out. */
function attributeOf(told: unknown, place: string): ReportedAttribute | string {
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

/** Validates each attribute by itself, so that an invalid one does not affect the others. */
export function parseReport(told: readonly unknown[]): InventoryReport {
  const kept = new Map<string, ReportedAttribute>();
  const leftOut: string[] = [];
  for (const [index, one] of told.entries()) {
    const attribute = attributeOf(one, `no. ${index + 1}`);
    if (typeof attribute === "string") leftOut.push(attribute);
    // The last attribute of a name wins.
    else kept.set(attribute.name, attribute);
  }
  return { kept, leftOut };
}

/**
 * Leaves out new attributes beyond the maximum per device; existing ones can always change.
 * @param has The names of existing attributes that stay.
 */
export function withinLimit({ kept, leftOut }: InventoryReport, has: ReadonlySet<string>): InventoryReport {
  const max = PROTOCOL_LIMITS.inventoryAttributesMax;
  let room = max - has.size;
  const fits = new Map<string, ReportedAttribute>();
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
