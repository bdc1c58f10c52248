import { given } from "@upkeep/shared/given";
import { printable } from "@upkeep/shared/text";
import type { Argv } from "yargs";
import { withArtifact } from "./files.ts";
import { addFlags, JSON_FLAG, PROGRESS_FLAG } from "./flags.ts";
import { type Inspection, inspect, inspectionJson, inspectionLines } from "./inspection.ts";
import { VERIFYING_FLAGS, type VerifyingFlags, verifyKeysOf } from "./keys.ts";
import { startProgress } from "./progress.ts";
import { type ArtifactContext, printJson, run } from "./run.ts";

interface ReadFlags extends VerifyingFlags {
  readonly path: string;
  readonly noProgress: boolean;
}

async function inspectFile(
  context: ArtifactContext,
  flags: ReadFlags,
): Promise<{ inspection: Inspection; sizeBytes: number }> {
  const verifyKeys = await verifyKeysOf(context, flags);
  return withArtifact(context, flags.path, async ({ sizeBytes, content }) => {
    const progress = await startProgress(context, "Reading", sizeBytes, flags);
    try {
      return { inspection: await inspect(progress.counting(content), given({ verifyKeys })), sizeBytes };
    } finally {
      progress.stop();
    }
  });
}

const readFlags = <T>(argv: Argv<T>) =>
  addFlags(argv.positional("path", { type: "string", demandOption: true, describe: "The artifact" }), {
    ...VERIFYING_FLAGS,
    ...PROGRESS_FLAG,
    ...JSON_FLAG,
  });

export function addReadCommands<T>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  return argv
    .command("read <path>", "Verify an artifact and print what it says", readFlags, (flags) =>
      run(context, flags.json, async () => {
        const { inspection, sizeBytes } = await inspectFile(context, flags);
        if (flags.json) printJson(context, inspectionJson(inspection, sizeBytes));
        else context.out.write([...inspectionLines(inspection)].map((line) => `${printable(line)}\n`).join(""));
      }),
    )
    .command("validate <path>", "Verify an artifact; exit status 4 if it is not in order", readFlags, (flags) =>
      run(context, flags.json, async () => {
        const { inspection } = await inspectFile(context, flags);
        const { artifactName, signature } = inspection.header;
        if (flags.json) printJson(context, { valid: true, name: artifactName, signature: signature.state });
        else context.out.write(`${printable(`Artifact file '${flags.path}' validated successfully`)}\n`);
      }),
    );
}
