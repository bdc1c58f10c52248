import { given } from "../../given.ts";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { openArtifact } from "../reading.ts";
import { readSmall, TarReader } from "../tar/reader.ts";
import type { ReadOptions } from "../types.ts";
import { type SigningKey, signManifest } from "./signing.ts";
import { tarEntries, tarFile } from "./tar.ts";
import type { ArtifactSink } from "./write.ts";

export interface SignOptions extends Pick<ReadOptions, "decompressors"> {
  /** Replace an existing signature. */
  readonly force?: boolean;
  readonly onProgress?: (doneBytes: number) => void;
}

/** The artifact is signed already, and `force` is not set. */
export class AlreadySignedError extends Error {
  override readonly name = "AlreadySignedError";

  constructor() {
    super("the artifact is signed already");
  }
}

/** Passes chunks on and keeps them, until `divert` names a target for them. */
class Tee {
  readonly #source: AsyncIterable<Uint8Array>;
  #kept: Uint8Array[] = [];
  #target: ((chunk: Uint8Array) => Promise<void>) | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#source) {
      // The source may reuse its buffers (`readChunks`).
      if (this.#target === undefined) this.#kept.push(Uint8Array.from(chunk));
      else await this.#target(chunk);
      yield chunk;
    }
  }

  /** @returns The chunks so far; later chunks go to `target`. */
  divert(target: (chunk: Uint8Array) => Promise<void>): Buffer {
    const kept = Buffer.concat(this.#kept);
    this.#kept = [];
    this.#target = target;
    return kept;
  }
}

/** Offsets in the first bytes of an artifact: the end of the manifest, and the start of the entry after the signature. */
async function locate(start: Uint8Array): Promise<{ manifest: Uint8Array; manifestEnd: number; restStart: number }> {
  const tar = new TarReader(
    (async function* () {
      yield start;
    })(),
    "artifact",
  );
  let manifest: Uint8Array = new Uint8Array(0);
  let manifestEnd = 0;
  for (;;) {
    const entry = await tar.next();
    if (entry?.name === "manifest") manifest = await readSmall(entry, ARTIFACT_LIMITS.manifestBytesMax, "artifact");
    else if (manifest.length > 0 && manifestEnd === 0) manifestEnd = tar.entryStart;
    if (entry === undefined || (manifestEnd > 0 && entry.name !== "manifest.sig")) {
      return { manifest, manifestEnd, restStart: tar.entryStart };
    }
  }
}

/**
 * Sign an artifact, copying it from `source` to `sink`. It is verified on the way: what is damaged is not
 * signed. Everything but the signature stays as it is, byte for byte.
 * @returns Bytes written.
 * @throws ArtifactError, AlreadySignedError
 */
export async function signArtifact(
  source: AsyncIterable<Uint8Array>,
  sink: ArtifactSink,
  key: SigningKey,
  options: SignOptions = {},
): Promise<number> {
  const tee = new Tee(source);
  // Of an augmented artifact the signature covers the same part: its manifest.
  const reading = await openArtifact(tee, { augmented: true, ...given({ decompressors: options.decompressors }) });
  try {
    if (reading.header.signature.state !== "unsigned" && options.force !== true) throw new AlreadySignedError();
    let written = 0;
    const write = async (data: Uint8Array): Promise<void> => {
      await sink.write(data);
      written += data.length;
      options.onProgress?.(written);
    };
    const start = tee.divert(write);
    const { manifest, manifestEnd, restStart } = await locate(start);
    await write(start.subarray(0, manifestEnd));
    const signature = tarFile("manifest.sig", await signManifest(key, manifest));
    for await (const block of tarEntries([signature])) await write(block);
    await write(start.subarray(restStart));
    // Reading to the end verifies, and makes the rest pass through.
    const payloads = reading.payloads()[Symbol.asyncIterator]();
    while ((await payloads.next()).done !== true);
    return written;
  } finally {
    await reading.close();
  }
}
