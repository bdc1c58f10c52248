import type { Compression, StateScript } from "@upkeep/shared/artifact";
import {
  type ArtifactPlan,
  type ArtifactSink,
  type AugmentPlan,
  type CommonPlan,
  type Compressor,
  type Compressors,
  type SoftwarePlan,
  type SourceFile,
  writeArtifact,
} from "@upkeep/shared/artifact/write";
import { given } from "@upkeep/shared/given";
import type { Argv } from "yargs";
import { artifactStream } from "../../releases/appended.ts";
import { COMPRESSORS, zstdOf } from "../../releases/compression.ts";
import { smallFile, sourceFile, stateScripts, writeOutput } from "./files.ts";
import { addFlags, type CompressionFlag, JSON_FLAG, one, PROGRESS_FLAG, several, yes } from "./flags.ts";
import { SIGNING_FLAGS, type SigningFlags, signingKeyOf } from "./keys.ts";
import { startProgress } from "./progress.ts";
import { ArtifactCommandError, type ArtifactContext, run } from "./run.ts";
import { sizeOf } from "./sizes.ts";
import { isStandardOutput, standardOutputSink, tellWritten } from "./standard-output.ts";

/** How each name of a compression is written: the levels of zstd are those of `mender-artifact`. */
const COMPRESSIONS: Readonly<Record<string, readonly [Compression, Compressor?]>> = {
  none: ["none"],
  gzip: ["gzip"],
  lzma: ["xz"],
  xz: ["xz"],
  zstd: ["zstd"],
  zstd_fastest: ["zstd", zstdOf(1)],
  zstd_fast: ["zstd", zstdOf(3)],
  zstd_better: ["zstd", zstdOf(7)],
  zstd_best: ["zstd", zstdOf(11)],
};

export const COMPRESSION_NAMES = Object.keys(COMPRESSIONS);

/** A compression by its name, and the compressors that write it. */
export function compressionNamed(name: string): {
  readonly compression: Compression;
  readonly compressors: Compressors;
} {
  const [compression, compressor] = COMPRESSIONS[name] ?? ["gzip"];
  const compressors = compressor === undefined ? COMPRESSORS : { ...COMPRESSORS, [compression]: compressor };
  return { compression, compressors };
}

const COMMON_FLAGS = {
  "artifact-name": { ...one, alias: "n", demandOption: true, describe: "Name of the artifact" },
  "compatible-types": { ...several, alias: "c", describe: "Device type that it fits; repeatable" },
  "device-type": { ...several, alias: "t", describe: "Older name of --compatible-types" },
  "output-path": {
    ...one,
    alias: "o",
    default: "artifact.mender",
    describe: "File to write; - for standard output",
  },
  version: { ...one, alias: "v", choices: ["3"] as const, default: "3", describe: "Version of the format" },
  ...SIGNING_FLAGS,
  "artifact-name-depends": { ...several, alias: "N", describe: "Artifact that must be installed; repeatable" },
  "depends-groups": { ...several, alias: "G", describe: "Group that the device must be in; repeatable" },
  "provides-group": { ...one, alias: "g", describe: "Group that the artifact puts the device in" },
  provides: { ...several, alias: "p", describe: "KEY:VALUE that it provides; repeatable" },
  depends: { ...several, alias: "d", describe: "KEY:VALUE that it depends on; repeatable" },
  "clears-provides": { ...several, describe: "Pattern of provides that it clears; repeatable" },
  "max-artifact-size": { ...one, describe: "A larger artifact is not written: bytes, or a number with KB, MB, GB, TB" },
  "warn-artifact-size": { ...one, describe: "A larger artifact is written with a warning" },
  ...PROGRESS_FLAG,
  ...JSON_FLAG,
} as const;

const SOFTWARE_FLAGS = {
  script: { ...several, alias: "s", describe: "State script, or a directory of them; repeatable" },
  "software-filesystem": { ...one, describe: "In the name of the version provided, instead of rootfs-image" },
  "software-name": { ...one, describe: "In the name of the version provided, instead of the payload type" },
  "software-version": { ...one, describe: "The version provided, instead of the artifact's name" },
  "no-default-software-version": { ...yes, describe: "Provide no version" },
  "no-default-clears-provides": { ...yes, describe: "Clear only what --clears-provides says" },
} as const;

const AUGMENT_FLAGS = {
  "augment-type": {
    ...one,
    describe: "Payload type of the part that no signature covers; it makes the artifact augmented",
  },
  "augment-file": { ...several, describe: "File of that part; repeatable" },
  "augment-meta-data": { ...one, describe: "File with a JSON object of that part" },
  "augment-provides": { ...several, describe: "KEY:VALUE that part provides; repeatable" },
  "augment-depends": { ...several, describe: "KEY:VALUE that part depends on; repeatable" },
} as const;

interface CommonFlags extends SigningFlags {
  readonly artifactName: string;
  readonly compatibleTypes: readonly string[] | undefined;
  readonly deviceType: readonly string[] | undefined;
  readonly outputPath: string;
  readonly compression: string | undefined;
  readonly artifactNameDepends: readonly string[] | undefined;
  readonly dependsGroups: readonly string[] | undefined;
  readonly providesGroup: string | undefined;
  readonly provides: readonly string[] | undefined;
  readonly depends: readonly string[] | undefined;
  readonly clearsProvides: readonly string[] | undefined;
  readonly maxArtifactSize: string | undefined;
  readonly warnArtifactSize: string | undefined;
  readonly noProgress: boolean;
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

interface AugmentFlags {
  readonly augmentType: string | undefined;
  readonly augmentFile: readonly string[] | undefined;
  readonly augmentMetaData: string | undefined;
  readonly augmentProvides: readonly string[] | undefined;
  readonly augmentDepends: readonly string[] | undefined;
}

/** `KEY:VALUE` flags as a map; of one key given twice the last counts. */
export function pairs(flag: string, values: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (values ?? []).map((value) => {
      const colon = value.indexOf(":");
      if (colon > 0) return [value.slice(0, colon), value.slice(colon + 1)];
      throw new ArtifactCommandError("usage", `--${flag}: "${value}" is not of the form KEY:VALUE`);
    }),
  );
}

function deviceTypes({ compatibleTypes, deviceType }: CommonFlags): readonly string[] {
  if (compatibleTypes !== undefined && deviceType !== undefined) {
    throw new ArtifactCommandError("usage", "--device-type is the older name of --compatible-types: give one of them");
  }
  const types = compatibleTypes ?? deviceType;
  if (types === undefined) throw new ArtifactCommandError("usage", "--compatible-types: a device type is needed");
  return types;
}

function commonPlan(flags: CommonFlags): CommonPlan {
  return {
    artifactName: flags.artifactName,
    deviceTypes: deviceTypes(flags),
    compression: compressionNamed(flags.compression ?? "gzip").compression,
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
  return {
    scripts: await stateScripts(context, flags.script ?? []),
    noDefaultSoftwareVersion: flags.noDefaultSoftwareVersion,
    noDefaultClearsProvides: flags.noDefaultClearsProvides,
    ...given({
      softwareFilesystem: flags.softwareFilesystem,
      softwareName: flags.softwareName,
      softwareVersion: flags.softwareVersion,
    }),
  };
}

async function augmentPlan(context: ArtifactContext, flags: AugmentFlags): Promise<AugmentPlan | undefined> {
  const { augmentType: type, augmentFile, augmentMetaData, augmentProvides, augmentDepends } = flags;
  if (type === undefined) {
    const parts = Object.entries({
      file: augmentFile,
      "meta-data": augmentMetaData,
      provides: augmentProvides,
      depends: augmentDepends,
    });
    const [first] = parts.find(([, value]) => value !== undefined) ?? [];
    if (first === undefined) return undefined;
    throw new ArtifactCommandError(
      "usage",
      `--augment-${first} needs --augment-type, which makes an augmented artifact`,
    );
  }
  return {
    type,
    files: await sourceFiles(context, augmentFile ?? []),
    provides: pairs("augment-provides", augmentProvides),
    depends: pairs("augment-depends", augmentDepends),
    ...(await metaData(context, augmentMetaData)),
  };
}

async function metaData(
  context: ArtifactContext,
  path: string | undefined,
): Promise<{ readonly metaDataJson?: string }> {
  return path === undefined ? {} : { metaDataJson: await smallFile(context, path) };
}

const sourceFiles = (context: ArtifactContext, paths: readonly string[]): Promise<SourceFile[]> =>
  Promise.all(paths.map((path) => sourceFile(context, path)));

/** Ends the writing of an artifact that becomes larger than `bytesMax`. */
function bounded(sink: ArtifactSink, bytesMax: number): ArtifactSink {
  let bytes = 0;
  return {
    write: (data, position) => {
      if (position === undefined) bytes += data.length;
      if (bytes <= bytesMax) return sink.write(data, position);
      const message = `the artifact is larger than --max-artifact-size, ${bytesMax} bytes`;
      throw new ArtifactCommandError("too-large", message);
    },
  };
}

async function write(
  context: ArtifactContext,
  flags: CommonFlags,
  plan: ArtifactPlan,
  files: readonly SourceFile[] = [],
): Promise<void> {
  const { outputPath: path, artifactName: name, maxArtifactSize, warnArtifactSize } = flags;
  const signingKey = await signingKeyOf(context, flags);
  const bytesMax = maxArtifactSize === undefined ? Infinity : sizeOf("max-artifact-size", maxArtifactSize);
  const warnBytes = warnArtifactSize === undefined ? Infinity : sizeOf("warn-artifact-size", warnArtifactSize);
  const totalBytes = 2 * files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const progress = await startProgress(context, "Writing", totalBytes, flags);
  let size: number;
  try {
    const { compressors } = compressionNamed(flags.compression ?? "gzip");
    const options = { compressors, onProgress: progress.update, ...given({ signingKey }) };
    if (isStandardOutput(path)) {
      const sink = bounded(standardOutputSink(context), bytesMax);
      size = 0;
      for await (const piece of artifactStream(plan, options)) {
        await sink.write(piece);
        size += piece.length;
      }
    } else size = await writeOutput(context, path, (sink) => writeArtifact(plan, bounded(sink, bytesMax), options));
  } finally {
    progress.stop();
  }
  if (size > warnBytes) {
    context.error.write(
      `warning: the artifact has ${size} bytes, more than --warn-artifact-size, ${warnBytes} bytes\n`,
    );
  }
  const signed = signingKey !== undefined;
  tellWritten(context, flags.json, { path, name, size, signed }, `${name}, ${size} bytes${signed ? ", signed" : ""}`);
}

export function addWriteCommands<T extends CompressionFlag>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  return argv
    .command(
      "module-image",
      "An artifact for an update module",
      (builder) =>
        addFlags(builder, {
          ...COMMON_FLAGS,
          ...SOFTWARE_FLAGS,
          type: { ...one, alias: "T", demandOption: true, describe: "Payload type: the update module's name" },
          file: { ...several, alias: "f", describe: "File of the payload; repeatable" },
          "meta-data": { ...one, alias: "m", describe: "File with a JSON object for the update module" },
          ...AUGMENT_FLAGS,
        }),
      (flags) =>
        run(context, flags.json, async () => {
          const files = await sourceFiles(context, flags.file ?? []);
          const augment = await augmentPlan(context, flags);
          const plan = {
            ...({ kind: "module-image", type: flags.type, files, ...commonPlan(flags) } as const),
            ...(await softwarePlan(context, flags)),
            ...(await metaData(context, flags.metaData)),
            ...given({ augment }),
          };
          await write(context, flags, plan, [...files, ...(augment?.files ?? [])]);
        }),
    )
    .command(
      "rootfs-image",
      "An artifact with an image of a root file system",
      (builder) =>
        addFlags(builder, {
          ...COMMON_FLAGS,
          ...SOFTWARE_FLAGS,
          file: { ...one, alias: "f", demandOption: true, describe: "The image" },
          "no-checksum-provide": { ...yes, describe: "Do not provide its checksum" },
          "legacy-rootfs-image-checksum": { ...yes, describe: "Provide its checksum as rootfs_image_checksum" },
        }),
      (flags) =>
        run(context, flags.json, async () => {
          const { noChecksumProvide, legacyRootfsImageChecksum } = flags;
          if (flags.file.startsWith("ssh://")) {
            const message = "--file: snapshots of running devices (ssh://…) are not made; give a file";
            throw new ArtifactCommandError("usage", message);
          }
          const file = await sourceFile(context, flags.file);
          const usual = legacyRootfsImageChecksum ? "rootfs_image_checksum" : "rootfs-image.checksum";
          const checksumProvide = noChecksumProvide ? "none" : usual;
          const common = { ...commonPlan(flags), ...(await softwarePlan(context, flags)) };
          await write(context, flags, { kind: "rootfs-image", file, checksumProvide, ...common }, [file]);
        }),
    )
    .command(
      ["bootstrap-artifact", "bootstrap"],
      "An artifact without files, which tells a new device what it has",
      (builder) => addFlags(builder, COMMON_FLAGS),
      (flags) => run(context, flags.json, () => write(context, flags, { kind: "bootstrap", ...commonPlan(flags) })),
    );
}
