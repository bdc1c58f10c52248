// What the agent's bundle leaves out of its libraries: parts that this program never reaches, and that would cost
// a device memory and start-up time all the same. Each rule fails the build when it no longer applies.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const folderOf = (name) => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
const axios = folderOf("axios");
const NOTHING = "module.exports = {};";

/** Modules that are replaced as a whole: path → content. */
const REPLACED = [
  // A browser's ways of sending.
  [/\/axios\/lib\/adapters\/xhr\.js$/, "export default null;"],
  [/\/axios\/lib\/adapters\/fetch\.js$/, "export const getFetch = null;"],
  [/\/axios\/lib\/platform\/browser\/classes\/(FormData|Blob)\.js$/, "export default null;"],
  // Log lines are handed to a function: no threads that write them, no files that are written to.
  [/\/pino\/lib\/(transport|multistream)\.js$/, NOTHING],
  [/\/sonic-boom\/index\.js$/, "module.exports = class SonicBoom {};"],
  [/\/on-exit-leak-free\/index\.js$/, NOTHING],
];

/** Pieces of modules that are replaced: path, what stands there, what stands there instead. */
const CHANGED = [
  // To look at it is to load Node's implementation of fetch, with everything that belongs to it.
  [/\/axios\/lib\/utils\.js$/, "typeof G.FormData !== 'undefined' ? G.FormData : undefined", "undefined"],
  [/\/axios\/lib\/core\/dispatchRequest\.js$/, "typeof performance !== 'undefined'", "false"],
  [/\/pino\/lib\/tools\.js$/, "const { isMainThread } = require('worker_threads')", "const isMainThread = true"],
];

/** An esbuild plugin. */
export const slim = {
  name: "slim",
  setup({ onEnd, onLoad, onResolve }) {
    const unused = new Set([...REPLACED, ...CHANGED].map(([filter]) => filter));
    // The agent carries axios's requests out itself (system/http-adapter.ts). axios's own adapter for Node brings in
    // HTTP/2, forms and a table of all media types; its package.json says what stands in where there is none.
    const { browser } = JSON.parse(readFileSync(join(axios, "package.json"), "utf8"));
    const standIns = new Map(Object.entries(browser).map(([from, to]) => [join(axios, from), join(axios, to)]));
    onResolve({ filter: /^\.{1,2}\//, namespace: "file" }, ({ path, resolveDir }) => {
      const standIn = resolveDir.startsWith(axios) ? standIns.get(join(resolveDir, path)) : undefined;
      return standIn === undefined ? undefined : { path: standIn };
    });
    for (const [filter, contents] of REPLACED) {
      onLoad({ filter }, () => {
        unused.delete(filter);
        return { contents };
      });
    }
    for (const [filter, from, to] of CHANGED) {
      onLoad({ filter }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        if (!text.includes(from)) return { errors: [{ text: `${path} no longer holds: ${from}` }] };
        unused.delete(filter);
        return { contents: text.replace(from, to) };
      });
    }
    onEnd(() => {
      if (unused.size > 0) throw new Error(`nothing in the bundle is like ${[...unused].join(", ")}`);
    });
  },
};
