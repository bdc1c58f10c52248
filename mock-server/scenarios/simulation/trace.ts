import { createHash } from "node:crypto";

/** What happened, event by event, with the virtual instant of each. Two runs are the same if their hashes are. */
export class Trace {
  readonly #lines: string[] = [];

  get lines(): readonly string[] {
    return this.#lines;
  }

  add(atMs: number, machine: string, event: string): void {
    this.#lines.push(`${atMs.toFixed(3)} ${machine} ${event}`);
  }

  /** SHA-256 over all lines, in hexadecimal. */
  hash(): string {
    const hash = createHash("sha256");
    for (const line of this.#lines) hash.update(line).update("\n");
    return hash.digest("hex");
  }
}
