import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { expect, test } from "vitest";

const DIST = join(import.meta.dirname, "../../../mock-server/dist");
/** Its own code, the door, what both programs share, and packages. */
const ALLOWED = /^(ctl\/|system\/|package\.json$|\.\.\/shared\/(text|system|given)|(\.\.\/)?node_modules\/)/;

/** Static and dynamic imports of a built file. */
const IMPORTED = /\b(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+\.mjs)["']/g;

/** The sources of a built file and of all that it imports, below the workspace of the server. */
function sourcesOf(entry: string): readonly string[] {
  const files = [entry];
  const sources = new Set<string>();
  for (const file of files) {
    const map = JSON.parse(readFileSync(join(DIST, `${file}.map`), "utf8")) as { readonly sources: readonly string[] };
    for (const source of map.sources)
      sources.add(posix.relative("..", posix.join("../dist", posix.dirname(file), source)));
    for (const [, path = ""] of readFileSync(join(DIST, file), "utf8").matchAll(IMPORTED)) {
      const imported = posix.join(posix.dirname(file), path);
      if (!files.includes(imported)) files.push(imported);
    }
  }
  return [...sources].sort();
}

test("the bundle of upkeepctl holds nothing of the server but the door", () => {
  const sources = sourcesOf("upkeepctl.mjs");
  expect(sources).toContain("ctl/commands/deploy.ts");
  expect(sources).toContain("system/network.ts");
  expect(sources.filter((source) => !ALLOWED.test(source))).toEqual([]);
  // Every command is there.
  const commands = readdirSync(join(DIST, "../ctl/commands")).map((name) => `ctl/commands/${name}`);
  expect(commands.filter((path) => !sources.includes(path))).toEqual([]);
});

test("the server's own bundle would be refused by the same look", () => {
  expect(sourcesOf("upkeep-server.mjs").some((source) => !ALLOWED.test(source))).toBe(true);
});
