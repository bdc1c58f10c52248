// Puts esbuild's chunks into one CommonJS file. Each chunk is a text there, and is compiled when it is first imported;
// one that is seldom needed is compressed besides: code that is never run should cost a device nothing.
import { join, relative } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { transform } from "esbuild";

/** What a chunk is given, as a function of CommonJS is. */
const GIVEN = ["require", "module", "exports", "importMetaUrl", "__filename"];

/**
 * Finds a chunk, unpacks and runs it once. It is compiled apart from the file: once that has run, nothing of it is
 * held any more but its texts, and V8 lets go of the half megabyte that it was read from.
 */
const LOADER = `
"use strict";
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write("upkeep: Node 20.19 or newer is needed, and this is " + process.versions.node + "\\n");
  process.exit(1);
}
const importMetaUrl = require("node:url").pathToFileURL(__filename).href;
const { compileFunction } = require("node:vm");
const loaded = Object.create(null);
function sourceOf(name) {
  if (name in plain) return plain[name];
  return require("node:zlib").brotliDecompressSync(Buffer.from(packed[name], "base64")).toString("latin1");
}
return function load(name) {
  if (!(name in plain) && !(name in packed) && !(name in loaded)) return require(name);
  let module = loaded[name];
  if (module === undefined) {
    module = loaded[name] = { exports: {} };
    const run = compileFunction(sourceOf(name), ${JSON.stringify(GIVEN)}, { filename: __filename + "/" + name });
    delete plain[name];
    delete packed[name];
    run(load, module, module.exports, importMetaUrl, __filename);
  }
  return module.exports;
};
`;

/** A chunk of fewer characters is not worth compressing. */
const PACKED_MIN = 4096;

/** Names of the outputs that are in memory once `entries` have been loaded: they, and all that they import. */
function reachable(metafile, entries) {
  const byEntry = new Map(Object.entries(metafile.outputs).map(([path, { entryPoint }]) => [entryPoint, path]));
  const found = new Set();
  const visit = (path) => {
    if (found.has(path)) return;
    found.add(path);
    for (const { path: next, kind } of metafile.outputs[path]?.imports ?? []) {
      if (kind === "import-statement" && next in metafile.outputs) visit(next);
    }
  };
  for (const entry of entries) {
    const path = byEntry.get(entry);
    if (path === undefined) throw new Error(`no chunk of the bundle begins with ${entry}`);
    visit(path);
  }
  return found;
}

/**
 * @param entry What the program begins with.
 * @param warm Modules that are imported while it runs, but so often that their chunks are not compressed.
 * @returns The file, the licences, and the name of the chunk that begins with each module that is imported.
 */
export async function oneFile({ folder, outputFiles, metafile, entry, warm }) {
  const warmPaths = reachable(metafile, [entry, ...warm]);
  const parts = [
    `#!/usr/bin/env node\n"use strict";\nconst packed = Object.create(null), plain = Object.create(null);\n`,
  ];
  const legal = [];
  const names = {};
  let first;
  for (const { path, text } of outputFiles) {
    if (path.endsWith(".LEGAL.txt")) {
      legal.push(text);
      continue;
    }
    const name = `./${relative(folder, path)}`;
    const output = relative(join(folder, ".."), path);
    const { code } = await transform(text, {
      format: "cjs",
      platform: "node",
      target: "node20.19",
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: "none",
      // One byte a character, in the file and in memory.
      charset: "ascii",
      // import() of a chunk becomes a promise of load().
      supported: { "dynamic-import": false },
    });
    const { entryPoint } = metafile.outputs[output] ?? {};
    if (entryPoint !== undefined) names[entryPoint] = name;
    if (entryPoint === entry) first = name;
    if (warmPaths.has(output) || code.length < PACKED_MIN) {
      parts.push(`plain[${JSON.stringify(name)}] = ${JSON.stringify(code)};\n`);
    } else {
      parts.push(`packed[${JSON.stringify(name)}] = "${brotliCompressSync(code).toString("base64")}";\n`);
    }
  }
  if (first === undefined) throw new Error(`the bundle has no chunk for ${entry}`);
  const given = ["require", "__filename", "packed", "plain"];
  parts.push(
    `const load = require("node:vm").compileFunction(${JSON.stringify(LOADER)}, ${JSON.stringify(given)}, ` +
      `{ filename: __filename })(${given.join(", ")});\n`,
    `load(${JSON.stringify(first)});\n`,
  );
  return { program: parts.join(""), legal: [...new Set(legal)].join("\n"), names };
}
