import { join } from "node:path";
import { defineConfig } from "vite";

// biome-ignore lint/style/noDefaultExport: vite reads the default export
export default defineConfig({
  root: join(import.meta.dirname, "page"),
  // Relative to <base>: a proxy may serve the console below a path.
  base: "./",
  logLevel: "warn",
  build: {
    outDir: join(import.meta.dirname, "../dist/console"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
});
