import { brotliDecompressSync } from "node:zlib";

/** The parts of WebAssembly used here; TypeScript declares them only together with the types of a browser. */
interface Wasm {
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

const modules = new Map<string, object>();

/**
 * The exports of a new instance with its own memory, which is freed with the last reference to them. Synchronous: the
 * modules are small, and a simulation stays deterministic.
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
