import {
  elementKey,
  KEY_KINDS,
  type KeyRange,
  scalarKey,
  wholeKind,
  withPrefix,
} from "../../storage/attribute-keys.ts";
import type { Records } from "../../storage/index.ts";
import type { DeviceInventory } from "../attributes.ts";

/** The beginning of the id, of an identity attribute or of the tag `name`. */
export interface NamedBy {
  readonly prefix: string;
  /** Only this one; `identity/id` is the id. */
  readonly attribute?: NamingAttribute;
}

interface NamingAttribute {
  readonly scope: "identity" | "tags";
  readonly name: string;
}

export function isNamed({ id, attributes }: DeviceInventory, { prefix, attribute }: NamedBy): boolean {
  const wanted = (scope: string, name: string): boolean => {
    if (scope === "identity" && name === "status") return false;
    if (attribute !== undefined) return scope === attribute.scope && name === attribute.name;
    return scope === "identity" || (scope === "tags" && name === "name");
  };
  if (wanted("identity", "id") && id.startsWith(prefix)) return true;
  return attributes.some(
    ({ scope, name, value }) => wanted(scope, name) && [value].flat().some((one) => String(one).startsWith(prefix)),
  );
}

/** Every device that has the name, and some others. @returns `undefined` if these are more than `max`. */
export async function mayBeNamed(
  { attributeIndex, devices }: Records,
  { prefix, attribute }: NamedBy,
  max: number,
): Promise<readonly string[] | undefined> {
  if (prefix.includes("\0") || attribute?.name.includes("\0")) return undefined;
  const found = new Set<string>();
  const isId = attribute === undefined || (attribute.scope === "identity" && attribute.name === "id");
  if (isId) for (const id of await devices.idsWithPrefix(prefix, max + 1)) found.add(id);
  const names: readonly NamingAttribute[] =
    attribute === undefined
      ? [...(await attributeIndex.names("identity")).map((name) => ({ scope: "identity" as const, name })), TAG]
      : [attribute];
  for (const one of names) {
    const known = await attributeIndex.find(one);
    if (known === undefined) continue;
    const ids = await attributeIndex.devices(known.id, keysWithPrefix(prefix), { limit: max + 1 });
    for (const id of ids) found.add(id);
    if (found.size > max) return undefined;
  }
  return found.size > max ? undefined : [...found];
}

const TAG = { scope: "tags", name: "name" } as const;

/** Numbers are ordered by their value, so that each one whose digits may begin with the prefix is looked at. */
function keysWithPrefix(prefix: string): readonly KeyRange[] {
  const numbers = /^[-\d]/.test(prefix) ? [KEY_KINDS.number, KEY_KINDS.elementNumber].map(wholeKind) : [];
  return [...[scalarKey(prefix), elementKey(prefix)].map(withPrefix), ...numbers, { key: KEY_KINDS.many }];
}
