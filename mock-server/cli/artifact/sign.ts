import { type ArtifactSink, signArtifact } from "@upkeep/shared/artifact/write";
import type { Argv } from "yargs";
import { withArtifact, writeOutput } from "./files.ts";
import { addFlags, JSON_FLAG, one, PROGRESS_FLAG, yes } from "./flags.ts";
import { SIGNING_FLAGS, signingKeyOf } from "./keys.ts";
import { startProgress } from "./progress.ts";
import { ArtifactCommandError, type ArtifactContext, run } from "./run.ts";
import { isStandardOutput, standardOutputSink, tellWritten } from "./standard-output.ts";

const FLAGS = {
  ...SIGNING_FLAGS,
  "output-path": {
    ...one,
    alias: "o",
    describe: "File to write, - for standard output; the artifact itself is replaced if not given",
  },
  force: { ...yes, alias: "f", describe: "Replace a signature that is there" },
  ...PROGRESS_FLAG,
  ...JSON_FLAG,
} as const;

export function addSignCommand<T>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  return argv.command(
    "sign <path>",
    "Verify an artifact and sign it",
    (builder) =>
      addFlags(builder.positional("path", { type: "string", demandOption: true, describe: "The artifact" }), FLAGS),
    (flags) =>
      run(context, flags.json, async () => {
        const { path, outputPath = path, force } = flags;
        const signingKey = await signingKeyOf(context, flags);
        if (signingKey === undefined) throw new ArtifactCommandError("usage", "--key: a key to sign with is needed");
        const size = await withArtifact(context, path, async ({ sizeBytes, content }) => {
          const progress = await startProgress(context, "Signing", sizeBytes, flags);
          try {
            const signed = (sink: ArtifactSink) =>
              signArtifact(progress.counting(content), sink, signingKey, { force });
            if (isStandardOutput(outputPath)) return await signed(standardOutputSink(context));
            return await writeOutput(context, outputPath, signed);
          } finally {
            progress.stop();
          }
        });
        tellWritten(context, flags.json, { path: outputPath, size, signed: true }, `signed, ${size} bytes`);
      }),
  );
}
