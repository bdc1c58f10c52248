import { randomBytes, randomUUID } from "node:crypto";
import type { Random } from "@upkeep/shared/system";

const FRACTION_BYTES = 6;

export const linuxRandom: Random = {
  bytes: (count) => randomBytes(count),
  uuid: () => randomUUID(),
  fraction: () => randomBytes(FRACTION_BYTES).readUIntBE(0, FRACTION_BYTES) / 2 ** (8 * FRACTION_BYTES),
};
