import { decompress } from "../compression/index.ts";
import { compressionOf } from "../compression/names.ts";
import { ArtifactError } from "../errors.ts";
import { quoted } from "../names.ts";
import { BLOCK_BYTES, checksumOf, FIELDS } from "../tar/header.ts";
import { contentOf, TarReader } from "../tar/reader.ts";
import type { ArtifactContent, ReadOptions } from "../types.ts";
import { Recorded } from "./recorded.ts";

/**
 * The flattened artifact is what adaptive downloads give instead of the artifact: the same bytes up to the first
 * payload, then each payload's tar uncompressed. It is an artifact too: the reader, signatures and checksums are the
 * same.
 */

/** A part of an artifact: bytes that stand before the payloads, or a payload's tar. */
export type ArtifactPart =
  | { readonly kind: "prefix"; readonly bytes: Uint8Array }
  | {
      readonly kind: "tar";
      /** `data/NNNN.tar`, without the suffix of its compression. */
      readonly name: string;
      /** Uncompressed. Read it to its end before the next part. */
      readonly content: ArtifactContent;
    };

const PAYLOAD = /^(data\/\d{4}\.tar)/;

/**
 * The parts of an artifact, in order; it ends after the end mark. Only the outer tar is checked.
 * @throws ArtifactError
 */
export async function* partsOf(
  source: ArtifactContent,
  decompressors: ReadOptions["decompressors"] = {},
): AsyncGenerator<ArtifactPart> {
  const recorded = new Recorded(source);
  const tar = new TarReader(recorded, "artifact");
  let inPayloads = false;
  try {
    for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) {
      const [, name] = PAYLOAD.exec(entry.name) ?? [];
      const compression = name === undefined ? undefined : compressionOf(entry.name, name);
      if (!inPayloads) for (const bytes of recorded.upTo(tar.entryStart)) yield { kind: "prefix", bytes };
      if (name === undefined || compression === undefined) {
        if (!inPayloads) continue;
        throw new ArtifactError("entry-unexpected", `artifact: ${quoted(entry.name)} stands behind a payload`);
      }
      inPayloads = true;
      recorded.stop();
      const content = await decompress(compression, contentOf(entry), entry.name, decompressors);
      yield { kind: "tar", name, content };
    }
  } finally {
    await tar.close();
  }
}

/**
 * Flattens an artifact.
 * @param tarBytes The sizes of the payloads' tars, uncompressed, which stand before the tars.
 * @throws ArtifactError (also if a tar is of another size)
 */
export async function* flatten(
  source: ArtifactContent,
  tarBytes: readonly number[],
  decompressors: ReadOptions["decompressors"] = {},
): AsyncGenerator<Uint8Array> {
  let tars = 0;
  for await (const part of partsOf(source, decompressors)) {
    if (part.kind === "prefix") {
      yield part.bytes;
      continue;
    }
    const stated = tarBytes[tars] ?? -1;
    tars += 1;
    if (stated >= 0) yield tarHeader(part.name, stated);
    let sizeBytes = 0;
    for await (const piece of part.content) {
      sizeBytes += piece.length;
      if (sizeBytes > stated) break;
      yield piece;
    }
    if (sizeBytes !== stated) {
      throw new ArtifactError("index-malformed", `chunk index: ${part.name} is not of the size that it has there`);
    }
    yield tarPadding(sizeBytes);
  }
  if (tars !== tarBytes.length) {
    throw new ArtifactError("index-malformed", `chunk index: it has ${tarBytes.length} tars, the artifact ${tars}`);
  }
  yield FLATTENED_END;
}

/** What ends a flattened artifact: the end mark of a tar. */
export const FLATTENED_END: Uint8Array = new Uint8Array(2 * BLOCK_BYTES);

/** What follows a content of `sizeBytes` in a tar. */
export function tarPadding(sizeBytes: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** Sizes from here on do not fit in the octal digits of the field. */
const OCTAL_SIZE_END = 8 ** 11;

/** The header of a file in the outer tar. Its bytes are part of the format, like those of every header in an index. */
export function tarHeader(name: string, sizeBytes: number): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  const put = (field: readonly [number, number], value: string): void => {
    block.write(value, field[0], field[1], "latin1");
  };
  const octal = (value: number, field: readonly [number, number]): void => {
    put(field, `${value.toString(8).padStart(field[1] - 1, "0")}\0`);
  };
  put(FIELDS.name, name);
  octal(0o600, FIELDS.mode);
  octal(0, FIELDS.uid);
  octal(0, FIELDS.gid);
  if (sizeBytes < OCTAL_SIZE_END) octal(sizeBytes, FIELDS.size);
  else {
    block.writeUInt8(0x80, FIELDS.size[0]);
    block.writeBigUInt64BE(BigInt(sizeBytes), FIELDS.size[0] + FIELDS.size[1] - 8);
  }
  octal(0, FIELDS.mtime);
  put(FIELDS.type, "0");
  put(FIELDS.magic, "ustar\u000000");
  put(FIELDS.checksum, `${checksumOf(block).toString(8).padStart(6, "0")}\0 `);
  return block;
}
