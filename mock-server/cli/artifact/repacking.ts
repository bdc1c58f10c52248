import { createHash } from "node:crypto";
import { type ArtifactHeader, type Compression, openArtifact } from "@upkeep/shared/artifact";
import type { ArtifactPlan, Depends, SigningKey, SourceFile } from "@upkeep/shared/artifact/write";
import { writeArtifact } from "@upkeep/shared/artifact/write";
import { given } from "@upkeep/shared/given";
import { absolutePath } from "../../system/environment.ts";
import { isExtImage } from "./ext-image.ts";
import { sourceFile, withArtifact, writeOutput } from "./files.ts";
import { withTemporaryDirectory } from "./programs.ts";
import { ArtifactCommandError, type ArtifactContext } from "./run.ts";
import { compressionNamed } from "./write.ts";

/** Keys that provide the checksum of a root file system's image, and follow from it. */
const CHECKSUM_KEYS = ["rootfs-image.checksum", "rootfs_image_checksum"];

/** What a payload says, to be changed. */
export interface Contents {
  artifactName: string;
  artifactGroup: string | undefined;
  dependsArtifactNames: readonly string[] | undefined;
  dependsArtifactGroups: readonly string[] | undefined;
  provides: Readonly<Record<string, string>>;
  depends: Depends;
  clearsProvides: readonly string[];
  metaDataJson: string | undefined;
  scripts: ArtifactHeader["scripts"];
}

/** An artifact whose payload lies in files, or an image of a file system by itself. */
export interface Unpacked {
  /** Absent for an image by itself. */
  readonly contents?: Contents;
  /** The image of ext2, ext3 or ext4: the file itself, or the only file of the payload. */
  readonly imagePath?: string;
  /** A directory for other temporary files. */
  readonly scratch: string;
}

interface UnpackedArtifact extends Unpacked {
  readonly header: ArtifactHeader;
  readonly contents: Contents;
  /** Paths of the payload's files. */
  readonly files: readonly string[];
}

export interface ChangeOptions {
  readonly signingKey?: SigningKey;
  /** Name of another compression than the artifact has. */
  readonly compression?: string;
  /** Where temporary files go. */
  readonly temporary?: string;
}

/** What was written: of an image by itself the size alone. */
export interface Changed {
  readonly name?: string;
  readonly size: number;
  readonly signed: boolean;
}

/** Uses what is in an artifact, or in an image by itself, changing neither. */
export function withUnpacked<T>(
  context: ArtifactContext,
  path: string,
  temporary: string | undefined,
  use: (unpacked: Unpacked) => Promise<T>,
): Promise<T> {
  return withTemporaryDirectory(context, temporary, async (scratch) => {
    return await use(
      (await isImage(context, path)) ? { imagePath: path, scratch } : await unpack(context, path, scratch),
    );
  });
}

/**
 * Changes an artifact, or an image by itself, which is replaced when all went well. An artifact is written anew:
 * unsigned, unless there is a key.
 */
export function changing(
  context: ArtifactContext,
  path: string,
  options: ChangeOptions,
  change: (unpacked: Unpacked) => Promise<void>,
): Promise<Changed> {
  return withTemporaryDirectory(context, options.temporary, async (scratch) => {
    if (await isImage(context, path)) return await changeImage(context, path, scratch, change);
    const unpacked = await unpack(context, path, scratch);
    await change(unpacked);
    return await repack(context, path, unpacked, options);
  });
}

async function isImage(context: ArtifactContext, path: string): Promise<boolean> {
  return await withArtifact(context, path, () => isExtImage(context, absolutePath(path)));
}

async function changeImage(
  context: ArtifactContext,
  path: string,
  scratch: string,
  change: (unpacked: Unpacked) => Promise<void>,
): Promise<Changed> {
  const imagePath = `${scratch}/image`;
  await copyFile(context, path, imagePath);
  await change({ imagePath, scratch });
  const { sizeBytes, read } = await sourceFile(context, imagePath);
  await writeOutput(context, path, async (sink) => {
    for await (const chunk of read()) await sink.write(chunk);
  });
  return { size: sizeBytes, signed: false };
}

/** Copies a file that must be there. */
export async function copyFile(context: ArtifactContext, from: string, to: string): Promise<void> {
  await copyContent(context, (await sourceFile(context, from)).read(), to);
}

export async function copyContent(
  { system }: ArtifactContext,
  content: AsyncIterable<Uint8Array>,
  to: string,
): Promise<void> {
  const handle = await system.files.open(to, "write", 0o600);
  try {
    for await (const chunk of content) await handle.write(chunk);
  } finally {
    await handle.close();
  }
}

async function unpack(context: ArtifactContext, path: string, scratch: string): Promise<UnpackedArtifact> {
  const directory = `${scratch}/files`;
  await context.system.files.makeDirectory(directory, 0o700);
  return await withArtifact(context, path, async ({ content }) => {
    const reading = await openArtifact(content);
    const { header } = reading;
    const [payload, second] = header.payloads;
    if (payload === undefined || second !== undefined) {
      const count = header.payloads.length;
      throw new ArtifactCommandError("usage", `${path} has ${count} payloads; artifacts with one can be changed`);
    }
    const files: string[] = [];
    for await (const each of reading.payloads()) {
      for await (const file of each.files()) {
        await copyContent(context, file.content, `${directory}/${file.name}`);
        files.push(`${directory}/${file.name}`);
      }
    }
    const [only] = files;
    const isOfImage = only !== undefined && files.length === 1 && (await isExtImage(context, only));
    const { artifactName, artifactGroup, dependsArtifactNames, dependsArtifactGroups, scripts } = header;
    const { provides = {}, depends = {}, clearsProvides = [] } = payload.typeInfo;
    const { metaDataJson } = payload;
    const named = { artifactName, artifactGroup, dependsArtifactNames, dependsArtifactGroups };
    const contents = { ...named, provides, depends, clearsProvides, metaDataJson, scripts };
    return { header, contents, files, scratch, ...(isOfImage ? { imagePath: only } : {}) };
  });
}

/** The checksum of an image that has changed, where the old one was provided. */
async function measured(provides: Contents["provides"], files: readonly SourceFile[]): Promise<Contents["provides"]> {
  const [image] = files;
  const keys = CHECKSUM_KEYS.filter((key) => Object.hasOwn(provides, key));
  if (image === undefined || files.length !== 1 || keys.length === 0) return provides;
  const hash = createHash("sha256");
  for await (const chunk of image.read()) hash.update(chunk);
  const checksum = hash.digest("hex");
  return { ...provides, ...Object.fromEntries(keys.map((key) => [key, checksum])) };
}

async function planOf(
  context: ArtifactContext,
  { header, contents, files: paths }: UnpackedArtifact,
  compression: Compression,
): Promise<ArtifactPlan> {
  const { artifactGroup, dependsArtifactNames, dependsArtifactGroups, metaDataJson, ...rest } = contents;
  const type = header.payloads[0]?.typeInfo.type ?? null;
  const common = {
    ...rest,
    deviceTypes: header.deviceTypes,
    compression,
    ...given({ artifactGroup, dependsArtifactNames, dependsArtifactGroups }),
  };
  if (type === null) return { kind: "bootstrap", ...common };
  const files = await Promise.all(paths.map((path) => sourceFile(context, path)));
  return {
    ...({ kind: "module-image", type, ...common, files } as const),
    provides: type === "rootfs-image" ? await measured(contents.provides, files) : contents.provides,
    noDefaultSoftwareVersion: true,
    ...given({ metaDataJson }),
  };
}

async function repack(
  context: ArtifactContext,
  path: string,
  unpacked: UnpackedArtifact,
  { signingKey, compression: name }: ChangeOptions,
): Promise<Changed> {
  const { compression, compressors } = compressionNamed(name ?? unpacked.header.compression);
  const plan = await planOf(context, unpacked, compression);
  const options = { compressors, ...given({ signingKey }) };
  const size = await writeOutput(context, path, (sink) => writeArtifact(plan, sink, options));
  const signed = signingKey !== undefined;
  if (!signed && unpacked.header.signature.state !== "unsigned") {
    context.error.write("warning: the artifact was signed and is no longer; --key signs it\n");
  }
  return { name: plan.artifactName, size, signed };
}
