// Bundles the server's own code; its dependencies stay in node_modules.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import manifest from "./package.json" with { type: "json" };

/** Installed beside the package. All else is bundled: what is private, and what would need an override there. */
const external = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
/** What upkeepctl consists of: its own code, the door, what is shared, and packages. */
const OF_THE_COMMAND = /^(ctl\/|system\/|package\.json$|\.\.\/shared\/(text|system|given)|(\.\.\/)?node_modules\/)/;
const ES_MODULES_ONLY = ["@hpcc-js/wasm-zstd"];
const shared = {
  absWorkingDir: import.meta.dirname,
  outdir: "dist",
  bundle: true,
  platform: "node",
  target: "node20.19",
  sourcemap: "linked",
  legalComments: "linked",
  logLevel: "warning",
};

// Chunks have the hash of their content in their names: those of an earlier build would stay, and be packed.
rmSync(join(import.meta.dirname, "dist/chunks"), { recursive: true, force: true });

await build({
  ...shared,
  entryPoints: { "upkeep-server": "cli/main.ts", testing: "testing/index.ts", msw: "testing/msw.ts" },
  outExtension: { ".js": ".mjs" },
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  external,
  // Bundled packages that are CommonJS inside expect `require`.
  banner: {
    js: 'import { createRequire as createRequireForBundle } from "node:module"; const require = createRequireForBundle(import.meta.url);',
  },
});

// The same for programs that cannot load ES modules, such as tests under jest.
await build({
  ...shared,
  entryPoints: { testing: "testing/index.ts", msw: "testing/msw.ts" },
  outExtension: { ".js": ".cjs" },
  format: "cjs",
  external: external.filter((name) => !ES_MODULES_ONLY.includes(name)),
  define: { "import.meta.url": "importMetaUrl" },
  banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
});

// The operator's command: a bundle of its own, which starts quickly and loads nothing of the server.
const { metafile } = await build({
  ...shared,
  entryPoints: { upkeepctl: "ctl/main.ts" },
  outExtension: { ".js": ".mjs" },
  splitting: true,
  chunkNames: "chunks/ctl-[name]-[hash]",
  format: "esm",
  minifySyntax: true,
  minifyWhitespace: true,
  metafile: true,
  external,
});
const foreign = Object.keys(metafile.inputs).filter((input) => !OF_THE_COMMAND.test(input));
if (foreign.length > 0) throw new Error(`the bundle of upkeepctl pulls in the server: ${foreign.join(", ")}`);

// What programs import, as TypeScript sees it: files of types alone, which need nothing of ours.
for (const [face, name] of [
  ["testing/face.ts", "testing"],
  ["testing/msw-face.ts", "msw"],
]) {
  const text = readFileSync(join(import.meta.dirname, face), "utf8");
  for (const kind of ["mts", "cts"]) {
    const imported = text.replace('"./face.ts"', `"./testing.${kind.replace("t", "j")}"`);
    writeFileSync(join(import.meta.dirname, "dist", `${name}.d.${kind}`), imported);
  }
}
