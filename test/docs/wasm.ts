import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { brotliCompressSync } from "node:zlib";

const require = createRequire(import.meta.url);

/**
 * The WebAssembly decoders of shared/artifact/compression/wasm, and the packages that publish them. The packages' own
 * wrappers keep one instance for all streams, whose memory never shrinks; so only the binaries are taken, and each
 * stream has an instance of its own.
 */
export const WASM = [
  { name: "zstd", package: "zstddec", entry: "zstddec/stream" },
  { name: "xz", package: "xz-decompress", entry: "xz-decompress" },
] as const;

type Source = (typeof WASM)[number];

/** The binary that a package carries as base64. */
export function binaryOf({ package: name, entry }: Source): Buffer {
  const found = /AGFzbQ[A-Za-z0-9+/]+=*/.exec(readFileSync(require.resolve(entry), "utf8"));
  if (found === null) throw new Error(`${name}: ${entry} holds no WebAssembly module as base64`);
  return Buffer.from(found[0], "base64");
}

/** What the licences want to stand beside the binary, as the lines of a comment. */
function noticeOf({ name, entry }: Source): string {
  const path = require.resolve(entry);
  const text =
    name === "xz"
      ? (/\/\*!\n(.*?)\n \*\//s.exec(readFileSync(path, "utf8"))?.[1] ?? "").replaceAll(/^ \* /gm, "")
      : `zstddec, with Zstandard inside:\n\n${readFileSync(join(dirname(path), "../LICENSE"), "utf8").trim()}`;
  if (text === "") throw new Error(`${path} names no licence`);
  return text.replaceAll(/^/gm, " * ").replaceAll(/ +$/gm, "");
}

export function wasmPath({ name }: Source): string {
  return join(import.meta.dirname, `../../shared/artifact/compression/wasm/${name}.ts`);
}

/** The file that carries the binary, as a text. */
export function wasmText(source: Source): string {
  const base64 = brotliCompressSync(binaryOf(source)).toString("base64");
  return [
    `/*!\n${noticeOf(source)}\n */`,
    "",
    `/** The WebAssembly module of the package ${source.package}, brotli-compressed, as base64. Written by npm run docs. */`,
    `export const ${source.name.toUpperCase()}_WASM =\n  "${base64}";`,
    "",
  ].join("\n");
}
