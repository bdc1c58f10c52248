import { ArtifactError } from "@upkeep/shared/artifact";
import {
  chunkHash,
  decodeChunkIndex,
  flattenedBytes,
  type Segment,
  segmentsOf,
} from "@upkeep/shared/artifact/adaptive";
import { encodeChunkIndex, SegmentWriter } from "@upkeep/shared/artifact/adaptive/write";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

type Step =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "zeros"; readonly count: number }
  | { readonly kind: "fresh"; readonly length: number }
  | { readonly kind: "again"; readonly back: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("literal" as const), text: fc.string({ minLength: 1, maxLength: 300 }) }),
    fc.record({ kind: fc.constant("zeros" as const), count: fc.integer({ min: 1, max: 2 ** 33 }) }),
    fc.record({ kind: fc.constant("fresh" as const), length: fc.integer({ min: 1, max: 65_536 }) }),
    fc.record({ kind: fc.constant("again" as const), back: fc.integer({ min: 1, max: 50 }) }),
  ),
  { maxLength: 40 },
);

interface Made {
  readonly bytes: Uint8Array;
  readonly lengths: readonly number[];
  /** What stands behind the prefix, with adjoining literals and zeros joined. */
  readonly expected: readonly string[];
}

const PREFIX = 1024;

/** An index of one tar that has these steps, filled up to whole blocks by zeros. */
function made(list: readonly Step[]): Made {
  const writer = new SegmentWriter();
  const lengths: number[] = [];
  const expected: string[] = [];
  let size = 0;
  const zeros = (count: number): void => {
    writer.zeros(count);
    size += count;
    expected.push(`zeros ${count}`);
  };
  for (const step of list) {
    if (step.kind === "literal") {
      const bytes = Buffer.from(step.text);
      writer.literal(bytes);
      size += bytes.length;
      expected.push(`literal ${bytes.toString("hex")}`);
    } else if (step.kind === "zeros") zeros(step.count);
    else {
      const chunk = step.kind === "fresh" ? lengths.length : Math.max(0, lengths.length - step.back);
      if (step.kind === "again" && lengths.length === 0) continue;
      if (step.kind === "fresh") lengths.push(step.length);
      writer.chunk(chunk);
      size += lengths[chunk] ?? 0;
      expected.push(`chunk ${chunk}`);
    }
  }
  zeros((512 - (size % 512) || 512) + 1024);
  // The header of the tar is a part of the steps here: the index knows only sums.
  const tarBytes = [size - 512 - 1024];
  if (tarBytes.some((bytes) => bytes < 0)) throw new Error("there is no room for the header and the end");
  const bytes = encodeChunkIndex(
    { artifactSha256: "ab".repeat(32), artifactBytes: 2048, prefixBytes: PREFIX, tarBytes, averageBytes: 8192 },
    {
      hashes: Buffer.concat(lengths.map((_, index) => chunkHash(Buffer.from(String(index))))),
      lengths,
      storedLengths: lengths.map((length) => Math.ceil(length / 2)),
    },
    writer.take(),
  );
  return { bytes, lengths, expected: joined(expected) };
}

function joined(list: readonly string[]): string[] {
  const result: string[] = [];
  for (const text of list) {
    const [kind = "", value = ""] = text.split(" ");
    const [lastKind, lastValue = ""] = (result.at(-1) ?? "").split(" ");
    if (kind !== lastKind || kind === "chunk") result.push(text);
    else result.splice(-1, 1, `${kind} ${kind === "zeros" ? Number(lastValue) + Number(value) : lastValue + value}`);
  }
  return result;
}

function told(segment: Segment): string {
  if (segment.kind === "chunk") return `chunk ${segment.chunk}`;
  return `${segment.kind} ${segment.kind === "zeros" ? segment.lengthBytes : Buffer.from(segment.bytes).toString("hex")}`;
}

describe("an index of chunks", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const { bytes, lengths, expected } = made(list);
        const index = decodeChunkIndex(bytes);
        expect(index).toMatchObject({ artifactSha256: "ab".repeat(32), artifactBytes: 2048, prefixBytes: PREFIX });
        expect(index.flattenedBytes).toBe(flattenedBytes(PREFIX, index.tarBytes));
        expect([...index.chunks.lengths]).toEqual(lengths);
        const segments = [...segmentsOf(index)];
        expect(joined(segments.map(told))).toEqual(expected);
        let offset = PREFIX;
        for (const segment of segments) {
          expect(segment.offset).toBe(offset);
          offset += segment.lengthBytes;
        }
        expect(offset).toBe(index.flattenedBytes);
        const { storedOffsets, storedLengths, storedBytes, count } = index.chunks;
        expect((storedOffsets[count - 1] ?? 0) + (storedLengths[count - 1] ?? 0)).toBe(storedBytes);
      }),
    );
  });

  it("that is cut or damaged is refused by name, or keeps its bounds", () => {
    fc.assert(
      fc.property(steps, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (list, at, flip, isCut) => {
        const bytes = Uint8Array.from(made(list).bytes);
        const position = at % bytes.length;
        bytes[position] = (bytes[position] ?? 0) ^ flip;
        check(isCut ? bytes.subarray(0, position) : bytes);
      }),
      { numRuns: 500 },
    );
  });

  it("of any bytes behind the magic number is refused, or keeps its bounds", () => {
    const magic = made([]).bytes.subarray(0, 8);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (tail) => check(Buffer.concat([magic, tail]))),
      { numRuns: 500 },
    );
  });

  it.each<[string, Parameters<typeof encodeChunkIndex>[0], Partial<Parameters<typeof encodeChunkIndex>[1]>, RegExp]>([
    ["more chunks than bytes", base(), { hashes: new Uint8Array(0), lengths: [1] }, /segment is empty/],
    ["a prefix beyond the artifact", { ...base(), prefixBytes: 4096 }, {}, /prefix of 4096/],
    ["a prefix that is no whole block", { ...base(), prefixBytes: 100 }, {}, /prefix of 100/],
    ["an average of 12 KiB", { ...base(), averageBytes: 12_288 }, {}, /average size of a chunk is 12288/],
    ["an average of 1 KiB", { ...base(), averageBytes: 1024 }, {}, /average size of a chunk is 1024/],
    ["an average of 1 MiB", { ...base(), averageBytes: 2 ** 20 }, {}, /average size of a chunk is/],
    ["no tars", { ...base(), tarBytes: [] }, {}, /0 tars/],
    ["a tar of a petabyte", { ...base(), tarBytes: [2 ** 50] }, {}, /size of a tar takes too many/],
    ["a chunk that is too long", base(), { lengths: [65_537] }, /length of a chunk is more than 65536/],
    ["an empty chunk", base(), { lengths: [0], storedLengths: [0] }, /chunk 0 is empty/],
    ["a chunk stored in more bytes", base(), { storedLengths: [513] }, /compressed length of a chunk is more than 512/],
    ["a chunk stored in nothing", base(), { storedLengths: [0] }, /chunk 0 is stored in no bytes/],
    ["segments that give less", { ...base(), tarBytes: [1536] }, {}, /segments do not give/],
    ["segments that give more", { ...base(), tarBytes: [0] }, {}, /segments do not give/],
  ])("with %s is refused", (_, artifact, chunks, message) => {
    const bytes = encodeChunkIndex(artifact, { ...columns(), ...chunks }, oneChunk());
    expect(() => decodeChunkIndex(bytes)).toThrow(message);
    expect(() => decodeChunkIndex(bytes)).toThrow(ArtifactError);
  });

  it("claims no memory that its own bytes do not cover", () => {
    const head = encodeChunkIndex(
      base(),
      { hashes: new Uint8Array(0), lengths: [], storedLengths: [] },
      new Uint8Array(0),
    );
    // The last number is the count of chunks: 2^50.
    const hostile = Buffer.concat([
      head.subarray(0, -1),
      Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02]),
    ]);
    expect(() => decodeChunkIndex(hostile)).toThrow(/no room in it for 1125899906842624 chunks/);
  });
});

function base(): Parameters<typeof encodeChunkIndex>[0] {
  return {
    artifactSha256: "00".repeat(32),
    artifactBytes: 2048,
    prefixBytes: 1024,
    tarBytes: [512],
    averageBytes: 8192,
  };
}

function columns(): Parameters<typeof encodeChunkIndex>[1] {
  return { hashes: chunkHash(Buffer.from("a")), lengths: [512], storedLengths: [100] };
}

/** The header as zeros, a tar of one chunk of 512 bytes, the end. */
function oneChunk(): Uint8Array {
  const writer = new SegmentWriter();
  writer.zeros(512);
  writer.chunk(0);
  writer.zeros(1024);
  return writer.take();
}

/** Either an error of the format, or an index whose segments stay within its own sums. */
function check(bytes: Uint8Array): void {
  let index: ReturnType<typeof decodeChunkIndex>;
  try {
    index = decodeChunkIndex(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ArtifactError);
    expect((error as ArtifactError).code).toBe("index-malformed");
    return;
  }
  const { count, lengths, storedOffsets, storedLengths, storedBytes } = index.chunks;
  expect(count * 18).toBeLessThanOrEqual(bytes.length);
  let offset = index.prefixBytes;
  for (const segment of segmentsOf(index)) {
    expect(segment.offset).toBe(offset);
    expect(segment.lengthBytes).toBeGreaterThan(0);
    offset += segment.lengthBytes;
    if (segment.kind !== "chunk") continue;
    expect(segment.chunk).toBeLessThan(count);
    expect(lengths[segment.chunk]).toBe(segment.lengthBytes);
    expect((storedOffsets[segment.chunk] ?? 0) + (storedLengths[segment.chunk] ?? 0)).toBeLessThanOrEqual(storedBytes);
  }
  expect(offset).toBe(index.flattenedBytes);
}
