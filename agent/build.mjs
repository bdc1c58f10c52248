// Bundles the agent into one self-contained file that needs nothing but Node.
// Usage: build.mjs [--version VERSION] [--out DIRECTORY]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { oneFile } from "./one-file.mjs";
import { slim } from "./slim.mjs";

const { values } = parseArgs({ options: { version: { type: "string" }, out: { type: "string" } } });
const folder = join(import.meta.dirname, "dist");
const out = values.out ?? folder;

/** Replaces the version that the sources have. */
const version = {
  name: "version",
  setup(build) {
    if (values.version === undefined) return;
    const contents = `export const VERSION = ${JSON.stringify(values.version)};`;
    build.onLoad({ filter: /agent\/version\.ts$/ }, () => ({ contents, loader: "ts" }));
  },
};

const { metafile, outputFiles } = await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: ["cli/start.ts"],
  outdir: folder,
  write: false,
  bundle: true,
  // Each import() is a chunk of its own; oneFile() puts them all into one file again.
  splitting: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
  plugins: [slim, version],
  // yargs asks where it lies; in the end that is the one file.
  define: { "import.meta.url": "importMetaUrl" },
});

const foreign = Object.keys(metafile.inputs).filter((input) => input.startsWith("../mock-server/"));
if (foreign.length > 0) throw new Error(`the agent's bundle pulls in the server: ${foreign.join(", ")}`);

const { program, legal, names } = await oneFile({
  folder,
  outputFiles,
  metafile,
  entry: "cli/start.ts",
  /** What an idle daemon has in memory: kept as it is. All else is compressed until it is called for. */
  warm: ["cli/daemon.ts", "system/network.ts"],
});
mkdirSync(out, { recursive: true });
writeFileSync(join(out, "upkeep.cjs"), program);
writeFileSync(join(out, "upkeep.cjs.LEGAL.txt"), legal);

/** Each import() in the sources: who, how it is written there, and what it leads to. For tests of the one file. */
const imports = Object.entries(metafile.inputs).flatMap(([importer, input]) =>
  input.imports
    .filter(({ kind }) => kind === "dynamic-import")
    .map(({ path, original = path }) => ({ importer, original, chunk: names[path] ?? null })),
);
writeFileSync(join(out, "imports.json"), `${JSON.stringify(imports, null, 2)}\n`);
