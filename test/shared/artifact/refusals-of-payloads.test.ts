import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { artifactOf, type Entry, type Parts, refusal, sha256, tarOf } from "./support.ts";

const link = (type: "symlink" | "link"): Entry => [{ name: "hello.txt", type, linkname: "/etc/passwd" }, ""];

const PAYLOAD_FAULTS: readonly [string, (parts: Parts) => void | Promise<void>, string, RegExp][] = [
  [
    "another content than the manifest says",
    (p) => void p.manifest.set("data/0000/hello.txt", sha256("x")),
    "checksum-mismatch",
    /hello.txt/,
  ],
  [
    "a file that is not in the manifest",
    (p) => void p.manifest.set("data/0000/hello.txt", ""),
    "unlisted",
    /hello.txt/,
  ],
  ["a file too few", (p) => void p.manifest.set("data/0000/more", sha256("")), "missing", /"data\/0000\/more"/],
  [
    "a file twice",
    (p) => {
      p.files = [
        ["hello.txt", "hello\n"],
        ["hello.txt", "hello\n"],
      ];
    },
    "duplicate-entry",
    /hello.txt/,
  ],
  [
    "a file that climbs out",
    async (p) => {
      p.payload = gzipSync(await tarOf([["../../etc/passwd", "x"]]));
    },
    "name-climbs",
    /etc\/passwd/,
  ],
  [
    "a file with an absolute name",
    async (p) => {
      // tar-stream writes no absolute names.
      const tar = Buffer.from(await tarOf([["xetc", "x"]]));
      p.payload = gzipSync(renamed(tar, "/etc"));
    },
    "name-climbs",
    /"\/etc"/,
  ],
  [
    "a file in a directory",
    async (p) => {
      p.payload = gzipSync(await tarOf([["a/b", "x"]]));
    },
    "name-unsafe",
    /a\/b/,
  ],
  [
    "a file with a line break in its name",
    async (p) => {
      p.payload = gzipSync(await tarOf([["a\nb", "x"]]));
    },
    "name-unsafe",
    /a\\nb/,
  ],
  [
    "a file with an endless name",
    async (p) => {
      p.payload = gzipSync(await tarOf([["n".repeat(300), "x"]]));
    },
    "name-too-long",
    /longer than 255/,
  ],
  [
    "a symbolic link",
    async (p) => {
      p.payload = gzipSync(await tarOf([link("symlink")]));
    },
    "entry-is-link",
    /symbolic/,
  ],
  [
    "a hard link",
    async (p) => {
      p.payload = gzipSync(await tarOf([link("link")]));
    },
    "entry-is-link",
    /hard link/,
  ],
  ...(["character-device", "block-device", "fifo"] as const).map((type): (typeof PAYLOAD_FAULTS)[number] => [
    `a ${type}`,
    async (p) => {
      p.payload = gzipSync(await tarOf([[{ name: "hello.txt", type }, ""]]));
    },
    "entry-is-device",
    /hello.txt/,
  ]),
  [
    "a directory",
    async (p) => {
      p.payload = gzipSync(await tarOf([[{ name: "dir", type: "directory" }, ""]]));
    },
    "entry-is-directory",
    /dir/,
  ],
  ["bytes behind the payload's gzip", (p) => afterGzip(p, Buffer.from("more")), "compression-damaged", /0000.tar.gz/],
  ["zeros behind the payload's gzip", (p) => afterGzip(p, Buffer.alloc(3)), "trailing-bytes", /0000.tar.gz/],
  [
    "bytes behind the payload's tar",
    async (p) => {
      p.payload = gzipSync(Buffer.concat([await tarOf(p.files), Buffer.from("more")]));
    },
    "trailing-bytes",
    /0000.tar.gz/,
  ],
  [
    "endless zeros behind the payload's tar",
    async (p) => {
      p.payload = gzipSync(Buffer.concat([await tarOf(p.files), Buffer.alloc(2 * 1024 * 1024)]));
    },
    "trailing-bytes",
    /0000.tar.gz/,
  ],
  [
    "a payload without an end",
    async (p) => {
      p.payload = gzipSync((await tarOf(p.files)).subarray(0, 1024));
    },
    "truncated",
    /0000.tar.gz/,
  ],
  [
    "a payload whose gzip is cut",
    async (p) => {
      p.payload = gzipSync(await tarOf(p.files)).subarray(0, -5);
    },
    "truncated",
    /0000.tar.gz/,
  ],
  [
    "an empty payload that should have files",
    (p) => {
      p.payload = gzipSync("");
    },
    "missing",
    /hello.txt/,
  ],
];

async function afterGzip(parts: Parts, rest: Uint8Array): Promise<void> {
  parts.payload = Buffer.concat([gzipSync(await tarOf(parts.files)), rest]);
}

/** A tar whose first entry has another name, its checksum made right again. */
function renamed(tar: Buffer, name: string): Buffer {
  tar.fill(0, 0, 100).write(name);
  tar.fill(" ", 148, 156);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return tar;
}

describe("while its payload is read, an artifact is refused that has", () => {
  it.each(PAYLOAD_FAULTS)("%s", async (_, change, code, message) => {
    expect(await refusal(await artifactOf(change))).toEqual({
      at: "payload",
      code,
      message: expect.stringMatching(message),
    });
  });
});
