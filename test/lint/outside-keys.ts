/**
 * Finds objects whose keys come from outside and that can lose one: zod's own schemas drop the key `__proto__`, and an
 * assignment to it replaces the prototype.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const ROOTS = ["shared", "agent", "mock-server"];
const SKIPPED = new Set(["node_modules", "dist"]);
/** Where the schemas that keep every key are made. */
const EXEMPT = new Set(["shared/protocol/every-key.ts"]);

/** Their keys are those of this program: its flags, paths, tables, and the parts of a date. */
const OWN_KEYS = new Set([
  "agent/cli/quick-parser.ts",
  "mock-server/api/openapi/document.ts",
  "mock-server/scenarios/simulation/cron.ts",
  "mock-server/storage/snapshots.ts",
]);

const PATTERNS: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [/\bz\s*\.record\(\s*z\s*\.string\(/g, "zod's record drops the key __proto__: use recordOf (shared/protocol)"],
  [
    /(?:\bz\s*|\))\.catchall\((?!z\.never)/g,
    "zod's catchall drops the key __proto__: use objectWithOthers (shared/protocol)",
  ],
  [
    /\.passthrough\(\)|\.loose\(\)/g,
    "zod's loose objects drop the key __proto__: use objectWithOthers (shared/protocol)",
  ],
  [/\bObject\.assign\(\{\}/g, "Object.assign loses the key __proto__: use a spread, or Object.fromEntries"],
  [
    /: (?:Partial<)?Record<string, [^=;]*?>+ = \{\};?$/gm,
    "an assignment to the key __proto__ is lost: use a Map, or Object.fromEntries",
  ],
];

function* sources(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (SKIPPED.has(entry.name)) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

/** The faults in one text, as `line: advice`. */
export function outsideKeyFaults(text: string): string[] {
  return PATTERNS.flatMap(([pattern, advice]) =>
    [...text.matchAll(pattern)].map(({ index }) => `${text.slice(0, index).split("\n").length}: ${advice}`),
  );
}

/** All faults of the workspaces below `root`. */
export function losableKeys(root: string): string[] {
  return ROOTS.flatMap((name) => [...sources(join(root, name))]).flatMap((path) => {
    const file = relative(root, path);
    return EXEMPT.has(file) || OWN_KEYS.has(file)
      ? []
      : outsideKeyFaults(readFileSync(path, "utf8")).map((fault) => `${file}:${fault}`);
  });
}
