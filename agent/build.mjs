// Bundles the agent into one self-contained file that needs nothing but Node.
import { build } from "esbuild";

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
  // yargs asks where it lies; in a CommonJS bundle that is the bundle.
  banner: { js: "#!/usr/bin/env node\nconst importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
  define: { "import.meta.url": "importMetaUrl" },
});

const foreign = Object.keys(result.metafile.inputs).filter((input) => input.startsWith("../mock-server/"));
if (foreign.length > 0) throw new Error(`the agent's bundle pulls in the server: ${foreign.join(", ")}`);
