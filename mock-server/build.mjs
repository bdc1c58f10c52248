// Bundles the server's own code; its dependencies stay in node_modules.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import manifest from "./package.json" with { type: "json" };

const external = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)].filter(
  (name) => name !== "@upkeep/shared",
);

await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: { "upkeep-server": "cli/main.ts", testing: "testing/index.ts", msw: "testing/msw.ts" },
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

// What programs import, as TypeScript sees it: files of types alone, which need nothing of ours.
for (const [face, declarations] of [
  ["testing/face.ts", "testing.d.mts"],
  ["testing/msw-face.ts", "msw.d.mts"],
]) {
  const text = readFileSync(join(import.meta.dirname, face), "utf8").replace('"./face.ts"', '"./testing.mjs"');
  writeFileSync(join(import.meta.dirname, "dist", declarations), text);
}
