import { randomBytes, randomUUID } from "node:crypto";
import type { Random } from "@upkeep/shared/system";

/** The kernel's generator. */
export class NodeRandom implements Random {
  bytes(count: number): Uint8Array {
    return randomBytes(count);
  }

  uuid(): string {
    return randomUUID();
  }

  fraction(): number {
    // 48 random bits: every value a float of this range can tell apart for our uses, and never 1.
    return randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
  }
}
