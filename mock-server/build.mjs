// Bundles the server's own code; its dependencies stay in node_modules.
import { build } from "esbuild";
import manifest from "./package.json" with { type: "json" };

const external = Object.keys(manifest.dependencies).filter((name) => name !== "@upkeep/shared");

await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: { "upkeep-server": "cli/main.ts" },
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  platform: "node",
  target: "node20.19",
  format: "esm",
  sourcemap: "linked",
  logLevel: "warning",
  external,
  // Packages that shared/ brings along and that are CommonJS inside expect `require`.
  banner: {
    js: 'import { createRequire as createRequireForBundle } from "node:module"; const require = createRequireForBundle(import.meta.url);',
  },
});
