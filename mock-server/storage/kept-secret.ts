import type { Random } from "@upkeep/shared/system";
import type { Storage } from "./storage.ts";

/** A persistent secret of 32 random bytes, generated at the first use. */
export async function keptSecret(storage: Storage, random: Random, name: string): Promise<Uint8Array> {
  const value = await storage.transaction(async ({ secrets }) => {
    const known = await secrets.find(name);
    if (known !== undefined) return known;
    const made = Buffer.from(random.bytes(32)).toString("base64");
    await secrets.insert(name, made);
    return made;
  });
  return Buffer.from(value, "base64");
}
