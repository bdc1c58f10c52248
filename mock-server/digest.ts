import { createHash } from "node:crypto";

/** SHA-256 as 64 lower-case hexadecimal digits. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** SHA-256 of a text that comes in parts. */
export interface RunningDigest {
  add(text: string): void;
  /** As {@link sha256} of all parts together; to be called once. */
  end(): string;
}

export function runningSha256(): RunningDigest {
  const hash = createHash("sha256");
  return { add: (text) => void hash.update(text), end: () => hash.digest("hex") };
}
