// What the agent's bundle leaves out of its libraries: parts that this program never reaches. Each rule fails the build
// when it no longer applies. The figures are what a rule saves: bytes of the bundle (584 KB), and memory of an idle daemon
// (54.8 MiB with Node 20.20). A rule that saves less than 10 KB and 0.25 MiB is not worth its place.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const folderOf = (name) => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
const axios = folderOf("axios");
const NOTHING = "module.exports = {};";

/** Modules that are replaced as a whole: path → content. */
const REPLACED = [
  // axios's adapters for browsers. 12 KB.
  [/\/axios\/lib\/adapters\/xhr\.js$/, "export default null;"],
  // 28 KB and 5.7 MiB: it looks for fetch, and Node loads its implementation then.
  [/\/axios\/lib\/adapters\/fetch\.js$/, "export const getFetch = null;"],
  // 4.7 MiB, for the same reason.
  [/\/axios\/lib\/platform\/browser\/classes\/(FormData|Blob)\.js$/, "export default null;"],
  // Log lines are passed to a function, so pino needs neither threads (23 KB and 0.5 MiB) nor files (12 KB).
  [/\/pino\/lib\/(transport|multistream)\.js$/, NOTHING],
  [/\/sonic-boom\/index\.js$/, "module.exports = class SonicBoom {};"],
];

/** Parts of modules that are replaced: path, text, replacement. */
const CHANGED = [
  // 4.7 MiB: reading the global FormData loads Node's implementation of fetch.
  [/\/axios\/lib\/utils\.js$/, "typeof G.FormData !== 'undefined' ? G.FormData : undefined", "undefined"],
  // 0.4 MiB: reading the global performance loads Node's implementation of it.
  [/\/axios\/lib\/core\/dispatchRequest\.js$/, "typeof performance !== 'undefined'", "false"],
];

/** An esbuild plugin. */
export const slim = {
  name: "slim",
  setup({ onEnd, onLoad, onResolve }) {
    const unused = new Set([...REPLACED, ...CHANGED].map(([filter]) => filter));
    // axios's requests leave through the door (system/axios-over-door.ts). Its own adapter for Node brings in HTTP/2, forms
    // and a table of all media types: 284 KB and 3.3 MiB. The `browser` field of its package.json names the stand-ins.
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
