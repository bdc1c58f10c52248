// Bundles the library as an ES module and as a CommonJS module; its dependencies stay in node_modules.
import { build } from "esbuild";
import manifest from "./package.json" with { type: "json" };

for (const [format, extension] of [
  ["esm", ".mjs"],
  ["cjs", ".cjs"],
]) {
  await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: { "upkeep-artifact": "library.ts" },
    outdir: "dist",
    outExtension: { ".js": extension },
    bundle: true,
    platform: "node",
    target: "node20.19",
    format,
    legalComments: "linked",
    logLevel: "warning",
    external: Object.keys(manifest.dependencies),
  });
}
