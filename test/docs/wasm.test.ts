import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import { expect, it } from "vitest";
import { binaryOf, WASM, wasmPath } from "./wasm.ts";

it.each(WASM)("the WebAssembly decoder of $name is the one that $package publishes (else: npm run docs)", (source) => {
  const text = readFileSync(wasmPath(source), "utf8");
  const base64 = /"([A-Za-z0-9+/=]+)";\n$/.exec(text)?.[1] ?? "";
  expect(brotliDecompressSync(Buffer.from(base64, "base64")).equals(binaryOf(source))).toBe(true);
  expect(text).toMatch(/License/i);
});
