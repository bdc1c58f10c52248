import { type ArtifactSink, loadSigningKey, signArtifact } from "@upkeep/shared/artifact/write";
import type { Argv } from "yargs";
import { smallFile, withArtifact, writeOutput } from "./files.ts";
import { startProgress } from "./progress.ts";
import { type ArtifactContext, run } from "./run.ts";
import { isStandardOutput, standardOutputSink, tellWritten } from "./standard-output.ts";

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
          describe: "File to write, - for standard output; the artifact itself is replaced if not given",
        })
        .option("force", { alias: "f", type: "boolean", default: false, describe: "Replace a signature that is there" })
        .option("json", { type: "boolean", default: false, describe: "Print JSON, for programs" }),
    ({ path, key, outputPath = path, force, json }) =>
      run(context, json, async () => {
        const signingKey = loadSigningKey(await smallFile(context, key));
        const size = await withArtifact(context, path, async ({ sizeBytes, content }) => {
          const progress = await startProgress(context, "Signing", sizeBytes);
          try {
            const signed = (sink: ArtifactSink) =>
              signArtifact(progress.counting(content), sink, signingKey, { force });
            if (isStandardOutput(outputPath)) return await signed(standardOutputSink(context));
            return await writeOutput(context, outputPath, signed);
          } finally {
            progress.stop();
          }
        });
        tellWritten(context, json, { path: outputPath, size, signed: true }, `signed, ${size} bytes`);
      }),
  );
}
