import { execFileSync } from "node:child_process";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { TarReader } from "../../../shared/artifact/tar/reader.ts";
import { headerBlock, tarFile, tarOf as tarOfFiles } from "../../../shared/artifact/write/tar.ts";
import { chunked, collect, tarOf } from "./support.ts";

async function entriesOf(
  tar: Uint8Array,
): Promise<{ name: string; sizeBytes: number; modifiedMs: number; content: string }[]> {
  const reader = new TarReader(chunked(tar, 100), "test.tar");
  const entries = [];
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const pieces: Uint8Array[] = [];
    for (let piece = await entry.read(); piece !== undefined; piece = await entry.read()) pieces.push(piece);
    const { name, sizeBytes, modifiedMs } = entry;
    entries.push({ name, sizeBytes, modifiedMs, content: Buffer.concat(pieces).toString() });
  }
  return entries;
}

/** The refusal of the first entry. */
async function fault(tar: Uint8Array): Promise<{ code: string; message: string }> {
  return entriesOf(tar).then(
    () => {
      throw new Error("the tar was not refused");
    },
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );
}

const TAR_END = Buffer.alloc(1024);

async function headerOf(name: string, sizeBytes: number): Promise<Buffer> {
  return Buffer.from(await headerBlock({ name, sizeBytes, mode: 0o644 }));
}

const FILE = await headerOf("file", 0);
const A = await headerOf("a", 0);
const A_OF_ONE_BYTE = await headerOf("a", 1);

/** A header block with a field overwritten, its checksum made right again. */
function patched(offset: number, bytes: string | Uint8Array, block: Buffer = FILE): Buffer {
  const copy = Buffer.from(block);
  copy.set(Buffer.from(bytes as Uint8Array), offset);
  copy.fill(" ", 148, 156);
  const sum = copy.reduce((total, byte) => total + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([copy, TAR_END]);
}

const SIZE = 124;
const TYPE = 156;
const long = `${"d".repeat(120)}/${"n".repeat(200)}`;

function pax(record: string, type = "x"): Buffer {
  const content = Buffer.from(record);
  const size = `${content.length.toString(8).padStart(11, "0")}\0`;
  const header = patched(SIZE, size, patched(TYPE, type).subarray(0, 512)).subarray(0, 512);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const record = (key: string, value: string): string => {
  let length = key.length + value.length + 3;
  while (`${length} ${key}=${value}\n`.length !== length) length = `${length} ${key}=${value}\n`.length;
  return `${length} ${key}=${value}\n`;
};

describe("a tar", () => {
  it.each(["gnu", "ustar", "pax"])("as GNU tar writes it is read: %s", async (format) => {
    const name = format === "ustar" ? `${"d".repeat(120)}/${"n".repeat(90)}` : long;
    const script = `d=$(mktemp -d) && cd "$d" && mkdir -p "$(dirname "${name}")" && printf hi > "${name}" && printf b > second && tar cf - --format=${format} --mtime=@1700000000 "${name}" second && rm -r "$d"`;
    const tar = execFileSync("sh", ["-c", script]);
    expect(await entriesOf(tar)).toEqual([
      { name, sizeBytes: 2, modifiedMs: 1_700_000_000_000, content: "hi" },
      { name: "second", sizeBytes: 1, modifiedMs: 1_700_000_000_000, content: "b" },
    ]);
  });

  it("as we write it is read by others", async () => {
    const tar = await collect(tarOfFiles([tarFile("a", Buffer.from("hello")), tarFile("b", Buffer.alloc(0))]));
    expect(execFileSync("tar", ["tvf", "-"], { input: tar, encoding: "utf8" })).toMatch(
      /-rw-------.* 5 .* a\n.* 0 .* b\n/,
    );
  });

  it.each([0, 1, 0o77777777777, 0o100000000000, 6 * 2 ** 30, 2 ** 40, Number.MAX_SAFE_INTEGER])(
    "knows sizes exactly: %d",
    async (size) => {
      const reader = new TarReader(chunked(await headerOf("file", size)), "test.tar");
      expect((await reader.next())?.sizeBytes).toBe(size);
    },
  );

  it("knows sizes from extended headers", async () => {
    const tar = Buffer.concat([
      pax(record("size", "2") + record("mtime", "1.5")),
      await collect(tarOfFiles([tarFile("a", Buffer.from("hi"))])),
    ]);
    expect(await entriesOf(tar)).toEqual([{ name: "a", sizeBytes: 2, modifiedMs: 1500, content: "hi" }]);
  });

  it("may be followed by zeros that fill its record", async () => {
    const tar = Buffer.concat([await tarOf([["a", "x"]]), Buffer.alloc(10_240)]);
    expect(await entriesOf(tar)).toHaveLength(1);
  });

  it.each<[string, Buffer, string]>([
    ["a negative size", patched(SIZE, Buffer.alloc(12, 0xff)), "size-absurd"],
    [
      "a size beyond all bounds",
      patched(SIZE, Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0x7f)])),
      "size-absurd",
    ],
    ["a size of 2^53", patched(SIZE, Buffer.from([0x80, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0])), "size-absurd"],
    ["a size that is no number", patched(SIZE, "12345678 9ab"), "tar-malformed"],
    ["a size with digits behind its end", patched(SIZE, "1234\x001234567"), "tar-malformed"],
    ["an extended size beyond all bounds", Buffer.concat([pax(record("size", "9007199254740993")), A]), "size-absurd"],
    ["an extended size below zero", Buffer.concat([pax(record("size", "-1")), A]), "size-absurd"],
    ["an extended time that is no number", pax(record("mtime", "soon")), "tar-malformed"],
    ["a time that no calendar has", Buffer.concat([pax(record("mtime", "99999999999999")), A]), "tar-malformed"],
    ["a record that is longer than the header", pax("99 path=x\n"), "tar-malformed"],
    ["a record without a length", pax(" path=x\n"), "tar-malformed"],
    ["a record without an end", pax("8 path=x"), "tar-malformed"],
    ["a record given twice", pax(record("path", "a") + record("path", "b")), "tar-malformed"],
    ["two extended headers", Buffer.concat([pax(record("path", "a")), pax(record("path", "b"))]), "tar-malformed"],
    ["an extended header for nothing", Buffer.concat([pax(record("path", "a")), TAR_END]), "truncated"],
    [
      "an endless extended header",
      patched(SIZE, "00000300000\0", Buffer.from(patched(TYPE, "x").subarray(0, 512))),
      "too-large",
    ],
    ["an extended header with a name that climbs out", Buffer.concat([pax(record("path", "../a")), A]), "name-climbs"],
    ["an extended header with a name that is not UTF-8", pax("9 path=\xff\n"), "tar-malformed"],
    ["a sparse file of GNU's new kind", pax(record("GNU.sparse.major", "1")), "entry-is-sparse"],
    ["a sparse file of GNU's old kind", patched(TYPE, "S"), "entry-is-sparse"],
    ["a global extended header", pax(record("comment", "x"), "g"), "entry-type-unknown"],
    ["a type that nobody knows", patched(TYPE, "Q"), "entry-type-unknown"],
    ["no name", patched(0, Buffer.alloc(4)), "name-unsafe"],
    ["a name that is not UTF-8", patched(0, Buffer.from([0xff, 0xfe])), "name-unsafe"],
    ["a directory by its name", patched(0, "dir/"), "entry-is-directory"],
    ["a wrong checksum", Buffer.from(FILE).fill("x", 0, 1), "tar-checksum"],
    ["no magic", patched(257, Buffer.alloc(8)), "tar-malformed"],
    ["an empty block between entries", Buffer.concat([Buffer.alloc(512), A]), "tar-malformed"],
    ["something behind a content", Buffer.concat([A_OF_ONE_BYTE, Buffer.alloc(512, "x")]), "tar-malformed"],
  ])("is refused that has %s", async (_, tar, code) => {
    expect((await fault(tar)).code).toBe(code);
  });

  it("of tar-stream with long names and dates is read", async () => {
    const packed = pack();
    packed.entry({ name: long, mtime: new Date(1_600_000_000_000) }, "x");
    packed.finalize();
    expect(await entriesOf(await collect(Readable.from(packed)))).toEqual([
      { name: long, sizeBytes: 1, modifiedMs: 1_600_000_000_000, content: "x" },
    ]);
  });
});
