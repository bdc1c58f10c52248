import { type ArtifactPlan, type WriteOptions, writeArtifact } from "@upkeep/shared/artifact/write";

/** The maximum number of pieces that wait for the reader. */
const WAITING_MAX = 8;

/** A bounded queue between a writer and a reader. */
class Pieces {
  readonly #pieces: Buffer[] = [];
  #ended: { readonly error?: unknown } | undefined;
  #stopped = false;
  #changed: () => void = () => undefined;

  async put(piece: Buffer): Promise<void> {
    while (this.#pieces.length >= WAITING_MAX && !this.#stopped) await this.#change();
    if (this.#stopped) throw new Error("the reader has stopped");
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

  /** One side waits at a time, so one callback is enough. */
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

/** `data`, which begins at `start`, with later overwrites applied. */
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
 * An artifact as an append-only stream. The writer of artifacts seeks back to fill in lengths, so the artifact is
 * written twice: the first pass only learns the lengths. The same plan gives the same bytes.
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
