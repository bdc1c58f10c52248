// Copies the declarations that the library's face needs, once for ES modules and once for CommonJS.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const EMITTED = join(import.meta.dirname, "../dist/types");
const TARGET = join(import.meta.dirname, "dist/types");
const IMPORT = /(from\s+|import\()"(\.[^"]+)\.ts"/g;

/** `path` and all that it imports, below EMITTED and without an extension. */
function withImports(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, , specifier] of readFileSync(join(EMITTED, `${path}.d.ts`), "utf8").matchAll(IMPORT)) {
    withImports(relative(EMITTED, join(EMITTED, dirname(path), specifier)), found);
  }
  return found;
}

rmSync(TARGET, { recursive: true, force: true });
for (const path of withImports("artifact/library")) {
  const text = readFileSync(join(EMITTED, `${path}.d.ts`), "utf8");
  mkdirSync(dirname(join(TARGET, path)), { recursive: true });
  for (const kind of ["m", "c"]) {
    const code = text.replace(IMPORT, `$1"$2.${kind}js"`).replace(/^\/\/# sourceMappingURL.*$/m, "");
    writeFileSync(join(TARGET, `${path}.d.${kind}ts`), code);
  }
}
