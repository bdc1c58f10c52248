import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const PROGRAM = join(import.meta.dirname, "../../../mock-server/dist/upkeep-server.mjs");
const IMPORT = /^import(?:[^"';]*?from)?\s*"([^"]+)"/gm;

/** The packages that a file of the bundle imports before anything runs, with those of the chunks that it imports. */
function packagesOf(path: string, seen = new Set<string>()): ReadonlySet<string> {
  const packages = new Set<string>();
  for (const [, specifier = ""] of readFileSync(path, "utf8").matchAll(IMPORT)) {
    if (!specifier.startsWith(".")) packages.add(specifier);
    else if (!seen.has(specifier)) {
      seen.add(specifier);
      for (const name of packagesOf(join(dirname(path), specifier), seen)) packages.add(name);
    }
  }
  return packages;
}

test("what needs no command loads no database, no web framework and no schemas", () => {
  const packages = [...packagesOf(PROGRAM)].filter((name) => !name.startsWith("node:") && !/^[a-z_]+$/.test(name));
  expect(packages).toEqual([]);
  expect([...packagesOf(PROGRAM)]).toContain("yargs");
});
