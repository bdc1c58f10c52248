import { basename } from "node:path";
import type { Compression, StateScript } from "@upkeep/shared/artifact";
import {
  type ArtifactPlan,
  type CommonPlan,
  loadSigningKey,
  type SoftwarePlan,
  type SourceFile,
  writeArtifact,
} from "@upkeep/shared/artifact/write";
import { given } from "@upkeep/shared/given";
import type { Argv } from "yargs";
import { artifactStream } from "../../releases/appended.ts";
import { COMPRESSORS } from "../../releases/compression.ts";
import { smallFile, sourceFile, writeOutput } from "./files.ts";
import { startProgress } from "./progress.ts";
import { ArtifactCommandError, type ArtifactContext, run } from "./run.ts";
import { isStandardOutput, tellWritten, writeToStandardOutput } from "./standard-output.ts";

/** Names of compressions as mender-artifact has them, and as we have them. */
const COMPRESSION_NAMES: Readonly<Record<string, Compression>> = {
  none: "none",
  gzip: "gzip",
  lzma: "xz",
  xz: "xz",
  zstd: "zstd",
};

const several = { type: "string", array: true, requiresArg: true } as const;
const one = { type: "string", requiresArg: true } as const;

const commonFlags = <T>(argv: Argv<T>) =>
  argv
    .option("artifact-name", { ...one, alias: "n", demandOption: true, describe: "Name of the artifact" })
    .option("device-type", {
      ...several,
      alias: "t",
      demandOption: true,
      describe: "Device type that it fits; repeatable",
    })
    .option("output-path", {
      ...one,
      alias: "o",
      default: "artifact.mender",
      describe: "File to write; - for standard output",
    })
    .option("version", {
      ...one,
      alias: "v",
      choices: ["3"] as const,
      default: "3",
      describe: "Version of the format",
    })
    .option("compression", {
      ...one,
      choices: Object.keys(COMPRESSION_NAMES),
      default: "gzip",
      describe: "Of header and payload; lzma is xz",
    })
    .option("key", { ...one, alias: "k", describe: "Private key (PEM) to sign with: RSA, ECDSA or Ed25519" })
    .option("artifact-name-depends", {
      ...several,
      alias: "N",
      describe: "Artifact that must be installed; repeatable",
    })
    .option("depends-groups", { ...several, alias: "G", describe: "Group that the device must be in; repeatable" })
    .option("provides-group", { ...one, alias: "g", describe: "Group that the artifact puts the device in" })
    .option("provides", { ...several, alias: "p", describe: "KEY:VALUE that it provides; repeatable" })
    .option("depends", { ...several, alias: "d", describe: "KEY:VALUE that it depends on; repeatable" })
    .option("clears-provides", { ...several, describe: "Pattern of provides that it clears; repeatable" })
    .option("json", { type: "boolean", default: false, describe: "Print JSON, for programs" });

const softwareFlags = <T>(argv: Argv<T>) =>
  argv
    .option("script", { ...several, alias: "s", describe: "State script; repeatable" })
    .option("software-filesystem", { ...one, describe: "In the name of the version provided, instead of rootfs-image" })
    .option("software-name", { ...one, describe: "In the name of the version provided, instead of the payload type" })
    .option("software-version", { ...one, describe: "The version provided, instead of the artifact's name" })
    .option("no-default-software-version", { type: "boolean", default: false, describe: "Provide no version" })
    .option("no-default-clears-provides", {
      type: "boolean",
      default: false,
      describe: "Clear only what is said to be",
    });

interface CommonFlags {
  readonly artifactName: string;
  readonly deviceType: readonly string[];
  readonly outputPath: string;
  readonly compression: string;
  readonly key: string | undefined;
  readonly artifactNameDepends: readonly string[] | undefined;
  readonly dependsGroups: readonly string[] | undefined;
  readonly providesGroup: string | undefined;
  readonly provides: readonly string[] | undefined;
  readonly depends: readonly string[] | undefined;
  readonly clearsProvides: readonly string[] | undefined;
  readonly json: boolean;
}

interface SoftwareFlags {
  readonly script: readonly string[] | undefined;
  readonly softwareFilesystem: string | undefined;
  readonly softwareName: string | undefined;
  readonly softwareVersion: string | undefined;
  readonly noDefaultSoftwareVersion: boolean;
  readonly noDefaultClearsProvides: boolean;
}

/** `KEY:VALUE` flags as a map; of one key given twice the last counts. */
function pairs(flag: string, values: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (values ?? []).map((value) => {
      const colon = value.indexOf(":");
      if (colon > 0) return [value.slice(0, colon), value.slice(colon + 1)];
      throw new ArtifactCommandError("usage", `--${flag}: "${value}" is not of the form KEY:VALUE`);
    }),
  );
}

function commonPlan(flags: CommonFlags): CommonPlan {
  return {
    artifactName: flags.artifactName,
    deviceTypes: flags.deviceType,
    compression: COMPRESSION_NAMES[flags.compression] ?? "gzip",
    provides: pairs("provides", flags.provides),
    depends: pairs("depends", flags.depends),
    ...given({
      artifactGroup: flags.providesGroup,
      dependsArtifactNames: flags.artifactNameDepends,
      dependsArtifactGroups: flags.dependsGroups,
      clearsProvides: flags.clearsProvides,
    }),
  };
}

async function softwarePlan(
  context: ArtifactContext,
  flags: SoftwareFlags,
): Promise<SoftwarePlan & { readonly scripts: readonly StateScript[] }> {
  const scripts = (flags.script ?? []).map(async (path) => ({
    name: basename(path),
    content: new TextEncoder().encode(await smallFile(context, path)),
  }));
  return {
    scripts: await Promise.all(scripts),
    noDefaultSoftwareVersion: flags.noDefaultSoftwareVersion,
    noDefaultClearsProvides: flags.noDefaultClearsProvides,
    ...given({
      softwareFilesystem: flags.softwareFilesystem,
      softwareName: flags.softwareName,
      softwareVersion: flags.softwareVersion,
    }),
  };
}

async function write(
  context: ArtifactContext,
  flags: CommonFlags,
  plan: ArtifactPlan,
  files: readonly SourceFile[],
): Promise<void> {
  const signingKey = flags.key === undefined ? undefined : loadSigningKey(await smallFile(context, flags.key));
  const totalBytes = 2 * files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const progress = await startProgress(context, "Writing", totalBytes);
  let sizeBytes: number;
  try {
    const options = {
      compressors: COMPRESSORS,
      onProgress: progress.update,
      ...given({ signingKey }),
    };
    sizeBytes = isStandardOutput(flags.outputPath)
      ? await writeToStandardOutput(context, artifactStream(plan, options))
      : await writeOutput(context, flags.outputPath, (sink) => writeArtifact(plan, sink, options));
  } finally {
    progress.stop();
  }
  const signed = signingKey !== undefined;
  const { outputPath: path, artifactName: name } = flags;
  const told = { path, name, size: sizeBytes, signed };
  tellWritten(context, flags.json, told, `${name}, ${sizeBytes} bytes${signed ? ", signed" : ""}`);
}

export function addWriteCommands<T>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  const sourceFiles = (paths: readonly string[]): Promise<SourceFile[]> =>
    Promise.all(paths.map((path) => sourceFile(context, path)));
  return argv
    .command(
      "module-image",
      "An artifact for an update module",
      (builder) =>
        softwareFlags(commonFlags(builder))
          .option("type", {
            ...one,
            alias: "T",
            demandOption: true,
            describe: "Payload type: the update module's name",
          })
          .option("file", { ...several, alias: "f", describe: "File of the payload; repeatable" })
          .option("meta-data", { ...one, alias: "m", describe: "File with a JSON object for the update module" }),
      (flags) =>
        run(context, flags.json, async () => {
          const files = await sourceFiles(flags.file ?? []);
          const common = { ...commonPlan(flags), ...(await softwarePlan(context, flags)) };
          const metaData =
            flags.metaData === undefined ? {} : { metaDataJson: await smallFile(context, flags.metaData) };
          await write(context, flags, { kind: "module-image", type: flags.type, files, ...common, ...metaData }, files);
        }),
    )
    .command(
      "rootfs-image",
      "An artifact with an image of a root file system",
      (builder) =>
        softwareFlags(commonFlags(builder))
          .option("file", { ...one, alias: "f", demandOption: true, describe: "The image" })
          .option("no-checksum-provide", { type: "boolean", describe: "Do not provide its checksum" })
          .option("legacy-rootfs-image-checksum", {
            type: "boolean",
            describe: "Provide its checksum as rootfs_image_checksum",
          })
          .conflicts("no-checksum-provide", "legacy-rootfs-image-checksum"),
      (flags) =>
        run(context, flags.json, async () => {
          const file = await sourceFile(context, flags.file);
          const usual = flags.legacyRootfsImageChecksum === true ? "rootfs_image_checksum" : "rootfs-image.checksum";
          const checksumProvide = flags.noChecksumProvide === true ? "none" : usual;
          const common = { ...commonPlan(flags), ...(await softwarePlan(context, flags)) };
          await write(context, flags, { kind: "rootfs-image", file, checksumProvide, ...common }, [file]);
        }),
    )
    .command(
      ["bootstrap-artifact", "bootstrap"],
      "An artifact without files, which tells a new device what it has",
      (builder) => commonFlags(builder),
      (flags) => run(context, flags.json, () => write(context, flags, { kind: "bootstrap", ...commonPlan(flags) }, [])),
    );
}
