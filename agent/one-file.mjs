// Puts esbuild's chunks into one CommonJS file. A chunk that is seldom needed is a compressed text there, and is
// decompressed and compiled when it is first imported: code that is never run should cost a device nothing.
import { join, relative } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { transform } from "esbuild";

/** Stands in front of the chunks: finds a chunk, unpacks and runs it once. */
const LOADER = `#!/usr/bin/env node
"use strict";
const importMetaUrl = require("node:url").pathToFileURL(__filename).href;
const packed = Object.create(null), plain = Object.create(null), loaded = Object.create(null);
function unpack(name) {
  const source = require("node:zlib").brotliDecompressSync(Buffer.from(packed[name], "base64")).toString();
  delete packed[name];
  return require("node:vm").compileFunction(source, ["require", "module", "exports", "importMetaUrl", "__filename"], {
    filename: __filename + "/" + name,
  });
}
function load(name) {
  if (!(name in plain) && !(name in packed) && !(name in loaded)) return require(name);
  let module = loaded[name];
  if (module === undefined) {
    module = loaded[name] = { exports: {} };
    const run = plain[name] ?? unpack(name);
    delete plain[name];
    run(load, module, module.exports, importMetaUrl, __filename);
  }
  return module.exports;
}
`;

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
 */
export async function oneFile({ folder, outputFiles, metafile, entry, warm }) {
  const warmPaths = reachable(metafile, [entry, ...warm]);
  const parts = [LOADER];
  const legal = [];
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
      // import() of a chunk becomes a promise of load().
      supported: { "dynamic-import": false },
    });
    if (metafile.outputs[output]?.entryPoint === entry) first = name;
    if (warmPaths.has(output)) {
      parts.push(`plain[${JSON.stringify(name)}] = function (require, module, exports, importMetaUrl) {${code}};\n`);
    } else {
      parts.push(`packed[${JSON.stringify(name)}] = "${brotliCompressSync(code).toString("base64")}";\n`);
    }
  }
  if (first === undefined) throw new Error(`the bundle has no chunk for ${entry}`);
  parts.push(`load(${JSON.stringify(first)});\n`);
  return { program: parts.join(""), legal: [...new Set(legal)].join("\n") };
}
