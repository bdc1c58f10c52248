import { brotliDecompressSync } from "node:zlib";

/** What is used of WebAssembly; the language's own types know it only together with a browser's. */
interface Wasm {
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

const modules = new Map<string, object>();

/**
 * The exports of a new instance, with memory of its own, which goes when nothing refers to them any more. Synchronous,
 * for these modules are small, and so that a simulation stays the same.
 */
export function instantiate(base64: string, imports: object = {}): object {
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: Wasm };
  let module = modules.get(base64);
  if (module === undefined) {
    module = new wasm.Module(brotliDecompressSync(Buffer.from(base64, "base64")));
    modules.set(base64, module);
  }
  return new wasm.Instance(module, imports).exports;
}
