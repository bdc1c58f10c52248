import { loadSigningKey, signArtifact } from "@upkeep/shared/artifact/write";
import type { Argv } from "yargs";
import { smallFile, withArtifact, writeOutput } from "./files.ts";
import { startProgress } from "./progress.ts";
import { type ArtifactContext, printJson, run } from "./run.ts";

export function addSignCommand<T>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  return argv.command(
    "sign <path>",
    "Verify an artifact and sign it",
    (builder) =>
      builder
        .positional("path", { type: "string", demandOption: true, describe: "The artifact" })
        .option("key", {
          alias: "k",
          type: "string",
          requiresArg: true,
          demandOption: true,
          describe: "Private key (PEM) to sign with: RSA, ECDSA or Ed25519",
        })
        .option("output-path", {
          alias: "o",
          type: "string",
          requiresArg: true,
          describe: "File to write; the artifact itself is replaced if not given",
        })
        .option("force", { alias: "f", type: "boolean", default: false, describe: "Replace a signature that is there" })
        .option("json", { type: "boolean", default: false, describe: "Print JSON, for programs" }),
    ({ path, key, outputPath = path, force, json }) =>
      run(context, json, async () => {
        const signingKey = loadSigningKey(await smallFile(context, key));
        const size = await withArtifact(context, path, async ({ sizeBytes, content }) => {
          const progress = await startProgress(context, "Signing", sizeBytes);
          try {
            return await writeOutput(context, outputPath, (sink) =>
              signArtifact(progress.counting(content), sink, signingKey, { force }),
            );
          } finally {
            progress.stop();
          }
        });
        if (json) printJson(context, { path: outputPath, size, signed: true });
        else context.out.write(`${outputPath}: signed, ${size} bytes\n`);
      }),
  );
}
