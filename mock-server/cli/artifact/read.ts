import type { ReadOptions } from "@upkeep/shared/artifact";
import { printable } from "@upkeep/shared/text";
import type { Argv } from "yargs";
import { smallFile, withArtifact } from "./files.ts";
import { type Inspection, inspect, inspectionJson, inspectionLines } from "./inspection.ts";
import { startProgress } from "./progress.ts";
import { type ArtifactContext, printJson, run } from "./run.ts";

/** What to verify with: the keys in the files that were given. */
async function readOptions(context: ArtifactContext, keys: readonly string[] | undefined): Promise<ReadOptions> {
  return keys === undefined ? {} : { verifyKeys: await Promise.all(keys.map((path) => smallFile(context, path))) };
}

async function inspectFile(
  context: ArtifactContext,
  path: string,
  keys: readonly string[] | undefined,
): Promise<{ inspection: Inspection; sizeBytes: number }> {
  const options = await readOptions(context, keys);
  return withArtifact(context, path, async ({ sizeBytes, content }) => {
    const progress = await startProgress(context, "Reading", sizeBytes);
    try {
      return { inspection: await inspect(progress.counting(content), options), sizeBytes };
    } finally {
      progress.stop();
    }
  });
}

const readFlags = <T>(argv: Argv<T>) =>
  argv
    .positional("path", { type: "string", demandOption: true, describe: "The artifact" })
    .option("key", {
      alias: "k",
      type: "string",
      array: true,
      requiresArg: true,
      describe: "Public key (PEM) that must fit the signature; may be given several times",
    })
    .option("json", { type: "boolean", default: false, describe: "Print JSON, for programs" });

export function addReadCommands<T>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  return argv
    .command("read <path>", "Verify an artifact and print what it says", readFlags, ({ path, key, json }) =>
      run(context, json, async () => {
        const { inspection, sizeBytes } = await inspectFile(context, path, key);
        if (json) printJson(context, inspectionJson(inspection, sizeBytes));
        else context.out.write([...inspectionLines(inspection)].map((line) => `${printable(line)}\n`).join(""));
      }),
    )
    .command(
      "validate <path>",
      "Verify an artifact; exit status 4 if it is not in order",
      readFlags,
      ({ path, key, json }) =>
        run(context, json, async () => {
          const { inspection } = await inspectFile(context, path, key);
          const { artifactName, signature } = inspection.header;
          if (json) printJson(context, { valid: true, name: artifactName, signature: signature.state });
          else context.out.write(`${printable(`${path} is a valid artifact (${artifactName})`)}\n`);
        }),
    );
}
