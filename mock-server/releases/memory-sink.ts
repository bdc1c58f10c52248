import type { ArtifactSink } from "@upkeep/shared/artifact/write";

/** Collects a small artifact in memory. */
export class MemorySink implements ArtifactSink {
  readonly #chunks: Buffer[] = [];
  readonly #patches: (readonly [position: number, data: Buffer])[] = [];

  async write(data: Uint8Array, position?: number): Promise<void> {
    const copy = Buffer.from(data);
    if (position === undefined) this.#chunks.push(copy);
    else this.#patches.push([position, copy]);
  }

  get content(): Buffer {
    const content = Buffer.concat(this.#chunks);
    for (const [position, data] of this.#patches) data.copy(content, position);
    return content;
  }
}
