// Bundles the agent into one self-contained file that needs nothing but Node.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";

/**
 * The agent sends its requests itself (system/http-adapter.ts). axios's own adapter would bring in HTTP/2, forms
 * and a table of all media types; axios says in its package.json what stands in for them where there are none.
 */
const slimAxios = {
  name: "slim-axios",
  setup({ onLoad, onResolve }) {
    const folder = dirname(createRequire(import.meta.url).resolve("axios/package.json"));
    const { browser } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const standIns = new Map(Object.entries(browser).map(([from, to]) => [join(folder, from), join(folder, to)]));
    onResolve({ filter: /^\.{1,2}\//, namespace: "file" }, ({ path, resolveDir }) => {
      if (!resolveDir.startsWith(folder)) return undefined;
      const standIn = standIns.get(join(resolveDir, path));
      return standIn === undefined ? undefined : { path: standIn };
    });
    // Nor are there any for a browser's ways of sending.
    onLoad({ filter: /\/axios\/lib\/adapters\/(xhr|fetch)\.js$/ }, () => ({
      contents: "export default null; export const getFetch = null;",
    }));
  },
};

const result = await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: ["cli/main.ts"],
  outfile: "dist/upkeep.cjs",
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "cjs",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
  plugins: [slimAxios],
  // yargs asks where it lies; in a CommonJS bundle that is the bundle.
  banner: { js: "#!/usr/bin/env node\nconst importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
  define: { "import.meta.url": "importMetaUrl" },
});

const foreign = Object.keys(result.metafile.inputs).filter((input) => input.startsWith("../mock-server/"));
if (foreign.length > 0) throw new Error(`the agent's bundle pulls in the server: ${foreign.join(", ")}`);
