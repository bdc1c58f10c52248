import { type ArtifactPlan, type WriteOptions, writeArtifact } from "@upkeep/shared/artifact/write";

/** Pieces that a reader has not taken yet, at most. */
const WAITING_MAX = 8;

/** A value that is put there by one side and waited for by the other. */
class Pieces {
  readonly #pieces: Buffer[] = [];
  #ended: { readonly error?: unknown } | undefined;
  #stopped = false;
  #changed: () => void = () => undefined;

  async put(piece: Buffer): Promise<void> {
    while (this.#pieces.length >= WAITING_MAX && !this.#stopped) await this.#change();
    if (this.#stopped) throw new Error("nobody reads any more");
    this.#pieces.push(piece);
    this.#changed();
  }

  end(ended: { readonly error?: unknown }): void {
    this.#ended = ended;
    this.#changed();
  }

  async *read(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          this.#changed();
          yield piece;
        } else if (this.#ended === undefined) await this.#change();
        else if ("error" in this.#ended) throw this.#ended.error;
        else return;
      }
    } finally {
      this.#stopped = true;
      this.#changed();
    }
  }

  /** Either side waits only while the other does not. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }
}

interface Patch {
  readonly position: number;
  readonly data: Buffer;
}

/** `data`, which stands at `start`, with what is written over it later. */
function patched(data: Uint8Array, start: number, patches: readonly Patch[]): Buffer {
  const piece = Buffer.from(data);
  for (const patch of patches) {
    const offset = patch.position - start;
    if (offset >= piece.length || offset + patch.data.length <= 0) continue;
    patch.data.copy(piece, Math.max(offset, 0), Math.max(-offset, 0));
  }
  return piece;
}

/**
 * An artifact as a stream that only grows. A writer of artifacts goes back to put in lengths that it learns
 * late: so it is written twice, first only to learn them; the same plan gives the same bytes.
 */
export async function* artifactStream(plan: ArtifactPlan, options: WriteOptions = {}): AsyncGenerator<Buffer> {
  const patches: Patch[] = [];
  await writeArtifact(
    plan,
    {
      write: async (data, position) => {
        if (position !== undefined) patches.push({ position, data: Buffer.from(data) });
      },
    },
    options,
  );
  const pieces = new Pieces();
  let written = 0;
  const writing = writeArtifact(
    plan,
    {
      write: async (data, position) => {
        if (position !== undefined) return;
        const start = written;
        written += data.length;
        await pieces.put(patched(data, start, patches));
      },
    },
    options,
  ).then(
    () => pieces.end({}),
    (error: unknown) => pieces.end({ error }),
  );
  try {
    yield* pieces.read();
  } finally {
    await writing;
  }
}
