import { type InventoryAttribute, PROTOCOL_LIMITS } from "@upkeep/shared/protocol";

/** An attribute of the inventory, and the program that printed it. */
export interface FoundAttribute {
  readonly name: string;
  readonly values: readonly string[];
  readonly source: string;
}

const SHOWN_CHARACTERS = 60;
/** Brackets around the list. */
const FRAME_BYTES = 2;

function shortened(name: string): string {
  return name.length > SHOWN_CHARACTERS ? `${name.slice(0, SHOWN_CHARACTERS)}…` : name;
}

function nameFault(name: string): string | undefined {
  const { inventoryNameMax, inventoryNameBytesMax } = PROTOCOL_LIMITS;
  if (name.length > inventoryNameMax) {
    return `its name has ${name.length} characters, and may have ${inventoryNameMax}`;
  }
  const bytes = Buffer.byteLength(name);
  if (bytes > inventoryNameBytesMax) return `its name has ${bytes} bytes, and may have ${inventoryNameBytesMax}`;
  return undefined;
}

/**
 * The attributes of `found` that a server accepts, sorted by name. If there are too many, the first ones are kept.
 * @param warn Told of each attribute that is left out.
 */
export function boundInventory(
  found: readonly FoundAttribute[],
  warn: (message: string) => void,
): InventoryAttribute[] {
  const { inventoryAttributesMax, bodyBytesMax } = PROTOCOL_LIMITS;
  const kept: InventoryAttribute[] = [];
  let bytes = FRAME_BYTES;
  for (const { name, values, source } of found) {
    const attribute = { name, value: values.length === 1 ? (values[0] ?? "") : [...values] };
    // With the comma after it.
    const ownBytes = Buffer.byteLength(JSON.stringify(attribute)) + 1;
    const fault =
      nameFault(name) ??
      (kept.length >= inventoryAttributesMax
        ? `a device may have ${inventoryAttributesMax} attributes`
        : bytes + ownBytes > bodyBytesMax
          ? `with its ${ownBytes} bytes, the inventory would be over ${bodyBytesMax} bytes`
          : undefined);
    if (fault !== undefined) {
      warn(`${source}: the attribute '${shortened(name)}' is left out: ${fault}`);
      continue;
    }
    bytes += ownBytes;
    kept.push(attribute);
  }
  return kept.sort((a, b) => (a.name < b.name ? -1 : 1));
}
