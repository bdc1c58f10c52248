import { join } from "node:path";
import { type ArtifactHeader, openArtifact, type Payload } from "@upkeep/shared/artifact";
import { harmfulCharacter, printable } from "@upkeep/shared/text";
import type { Argv } from "yargs";
import { absolutePath } from "../../system/environment.ts";
import { withArtifact, writeOutput } from "./files.ts";
import { addFlags, JSON_FLAG, one, yes } from "./flags.ts";
import { startProgress } from "./progress.ts";
import { type ArtifactContext, printJson, run } from "./run.ts";

interface DumpFlags {
  readonly files: string | undefined;
  readonly scripts: string | undefined;
  readonly metaData: string | undefined;
}

/** Paths of what was written. */
interface Dumped {
  readonly files: string[];
  readonly scripts: string[];
  metaData?: string;
}

/** Name of the file that the first payload's meta-data is dumped to. */
const META_DATA_FILE = "0000.meta-data";

async function dumpHeader(
  context: ArtifactContext,
  header: ArtifactHeader,
  flags: DumpFlags,
  dumped: Dumped,
): Promise<void> {
  const { files } = context.system;
  if (flags.scripts !== undefined) {
    await files.makeDirectory(absolutePath(flags.scripts));
    for (const { name, content } of header.scripts) {
      const path = join(flags.scripts, name);
      await writeOutput(context, path, (sink) => sink.write(content));
      await files.setPermissions(absolutePath(path), 0o755);
      dumped.scripts.push(path);
    }
  }
  const metaData = header.payloads[0]?.metaDataJson;
  if (flags.metaData === undefined || metaData === undefined) return;
  await files.makeDirectory(absolutePath(flags.metaData));
  const path = join(flags.metaData, META_DATA_FILE);
  await writeOutput(context, path, (sink) => sink.write(new TextEncoder().encode(metaData)));
  dumped.metaData = path;
}

async function dumpFiles(context: ArtifactContext, payload: Payload, directory: string, dumped: Dumped): Promise<void> {
  await context.system.files.makeDirectory(absolutePath(directory));
  for await (const file of payload.files()) {
    const path = join(directory, file.name);
    await writeOutput(context, path, async (sink) => {
      for await (const chunk of file.content) await sink.write(chunk);
    });
    dumped.files.push(path);
  }
}

/** Write the parts that were asked for. If the artifact turns out to be damaged nothing of them stays. */
async function dump(
  context: ArtifactContext,
  path: string,
  flags: DumpFlags,
): Promise<{ header: ArtifactHeader; dumped: Dumped }> {
  const dumped: Dumped = { files: [], scripts: [] };
  try {
    const header = await withArtifact(context, path, async ({ sizeBytes, content }) => {
      const progress = await startProgress(context, "Dumping", sizeBytes);
      const reading = await openArtifact(progress.counting(content));
      try {
        await dumpHeader(context, reading.header, flags, dumped);
        for await (const payload of reading.payloads()) {
          if (payload.index === 0 && flags.files !== undefined) await dumpFiles(context, payload, flags.files, dumped);
        }
        return reading.header;
      } finally {
        progress.stop();
        await reading.close();
      }
    });
    return { header, dumped };
  } catch (error) {
    const { files, scripts, metaData } = dumped;
    for (const written of [...files, ...scripts, ...(metaData === undefined ? [] : [metaData])]) {
      await context.system.files.remove(absolutePath(written));
    }
    throw error;
  }
}

/** The command line that makes an artifact like this one of the parts that were dumped. */
function commandLine(header: ArtifactHeader, dumped: Dumped): string[] {
  const [payload] = header.payloads;
  const type = payload?.typeInfo.type ?? null;
  const { provides = {}, depends = {}, clearsProvides = [] } = payload?.typeInfo ?? {};
  const repeated = (flag: string, values: readonly string[] | undefined): string[] =>
    (values ?? []).flatMap((value) => [`--${flag}`, value]);
  const pairs = (map: Readonly<Record<string, string | readonly string[]>>): string[] =>
    Object.entries(map).flatMap(([key, value]) => [value].flat().map((each) => `${key}:${each}`));
  return [
    ...["write", type === null ? "bootstrap-artifact" : "module-image", "--artifact-name", header.artifactName],
    ...repeated("compatible-types", header.deviceTypes),
    ...repeated("artifact-name-depends", header.dependsArtifactNames),
    ...repeated("depends-groups", header.dependsArtifactGroups),
    ...repeated("provides-group", header.artifactGroup === undefined ? [] : [header.artifactGroup]),
    ...(type === null ? [] : ["--type", type, "--no-default-software-version", "--no-default-clears-provides"]),
    ...repeated("provides", pairs(provides)),
    ...repeated("depends", pairs(depends)),
    ...repeated("clears-provides", clearsProvides),
    ...repeated("script", dumped.scripts),
    ...repeated("meta-data", dumped.metaData === undefined ? [] : [dumped.metaData]),
    ...repeated("file", dumped.files),
  ];
}

function quotedForShell(word: string): string {
  if (/^[A-Za-z0-9_.,:/=@%+-]+$/.test(word)) return word;
  // Of what the artifact says nothing has such characters: only a path may.
  if (harmfulCharacter(word) !== undefined) return `$'${printable(word.replace(/[\\']/g, "\\$&"))}'`;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

const FLAGS = {
  files: { ...one, describe: "Directory for the files of the first payload" },
  scripts: { ...one, describe: "Directory for the state scripts" },
  "meta-data": { ...one, describe: "Directory for the meta-data of the first payload" },
  "print-cmdline": { ...yes, describe: "Print the flags that make it anew" },
  "print0-cmdline": { ...yes, describe: "The same, separated by NUL characters" },
  ...JSON_FLAG,
} as const;

export function addDumpCommand<T>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  return argv.command(
    "dump <path>",
    "Verify an artifact and write out what it is made of",
    (builder) =>
      addFlags(builder.positional("path", { type: "string", demandOption: true, describe: "The artifact" }), FLAGS),
    (flags) =>
      run(context, flags.json, async () => {
        const { header, dumped } = await dump(context, flags.path, flags);
        const words = commandLine(header, dumped);
        if (flags.json) {
          const { files, scripts, metaData } = dumped;
          printJson(context, { files, scripts, meta_data: metaData ?? null, command_line: words });
        } else if (flags.print0Cmdline) context.out.write(words.join("\0"));
        else if (flags.printCmdline) context.out.write(`${words.map(quotedForShell).join(" ")}\n`);
      }),
  );
}
