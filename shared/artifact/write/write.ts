import { createHash } from "node:crypto";
import { SUFFIXES } from "../compression/names.ts";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { manifestName, payloadDirectory, sha256 } from "../manifest.ts";
import { type Compressor, type Compressors, compressorFor } from "./compress.ts";
import { augmentedHeaderFiles, headerFiles, manifestContent, VERSION_CONTENT } from "./contents.ts";
import { type ArtifactPlan, PlanError, resolvePlan, type SourceFile } from "./plan.ts";
import { type SigningKey, signManifest } from "./signing.ts";
import { headerBlock, type SmallFile, type TarFile, tarEnd, tarEntries, tarFile, tarOf } from "./tar.ts";

/** Where an artifact is written to. A file handle of the door is one. */
export interface ArtifactSink {
  /** Write at the end, or over what stands at `position`, which does not move the end. */
  write(data: Uint8Array, position?: number): Promise<void>;
}

export interface WriteOptions {
  readonly signingKey?: SigningKey;
  readonly compressors?: Compressors;
  /** Told, as work goes on, how many of how many bytes are done. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Write an artifact. The same plan gives the same bytes. The files are read twice, as their checksums stand
 * before them; memory does not depend on their size.
 * @returns Bytes written.
 * @throws PlanError if no artifact can be made of the plan, or a file changes while it is read.
 */
export async function writeArtifact(
  plan: ArtifactPlan,
  sink: ArtifactSink,
  options: WriteOptions = {},
): Promise<number> {
  const resolved = resolvePlan(plan);
  const { augment } = resolved;
  const files = [...resolved.files, ...(augment?.files ?? [])];
  const compress = compressorFor(resolved.compression, options.compressors ?? {});
  const suffix = SUFFIXES[resolved.compression];
  const progress = new Progress(files, options.onProgress);
  const checksums = await hashFiles(files, progress);

  const header = tarFile(`header.tar${suffix}`, await compressed(headerFiles(resolved, checksums), compress));
  const manifest = manifestOf(resolved.files, checksums, [header, tarFile("version", VERSION_CONTENT)]);
  const signed =
    options.signingKey === undefined ? [] : [tarFile("manifest.sig", await signManifest(options.signingKey, manifest))];
  const entries = [tarFile("version", VERSION_CONTENT), tarFile("manifest", manifest), ...signed];
  if (augment === undefined) entries.push(header);
  else {
    const augmentedFiles = augmentedHeaderFiles(resolved, augment);
    const augmented = tarFile(`header-augment.tar${suffix}`, await compressed(augmentedFiles, compress));
    const unsigned = manifestOf(augment.files ?? [], checksums, [augmented]);
    entries.push(tarFile("manifest-augment", unsigned), header, augmented);
  }
  const output = new Output(sink);
  for await (const block of tarEntries(entries)) await output.write(block);

  // The payload's size is known once it is compressed and written: its header is then written again, in place.
  const payload = { name: `${payloadDirectory(0)}.tar${suffix}`, mode: 0o600 };
  const headerAt = output.position;
  await output.write(await headerBlock({ ...payload, sizeBytes: 0 }));
  const contentAt = output.position;
  for await (const piece of compress(payloadTar(files, checksums, progress))) await output.write(piece);
  const sizeBytes = output.position - contentAt;
  await output.write(tarEnd(sizeBytes));
  await sink.write(await headerBlock({ ...payload, sizeBytes }), headerAt);
  return output.position;
}

/** Counts what goes into a sink. */
class Output {
  readonly #sink: ArtifactSink;
  position = 0;

  constructor(sink: ArtifactSink) {
    this.#sink = sink;
  }

  async write(data: Uint8Array): Promise<void> {
    if (data.length > 0) await this.#sink.write(data);
    this.position += data.length;
  }
}

/** Each file is read twice, so there are twice as many bytes to go through. */
class Progress {
  readonly #total: number;
  readonly #report: ((doneBytes: number, totalBytes: number) => void) | undefined;
  #done = 0;

  constructor(files: readonly SourceFile[], report: ((doneBytes: number, totalBytes: number) => void) | undefined) {
    this.#total = 2 * files.reduce((sum, file) => sum + file.sizeBytes, 0);
    this.#report = report;
  }

  add(bytes: number): void {
    this.#done += bytes;
    this.#report?.(this.#done, this.#total);
  }
}

/** A file's content, its checksum computed on the way. @throws PlanError if its size is not what was said. */
async function* measured(
  file: SourceFile,
  progress: Progress,
  ended: (checksum: string) => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let total = 0;
  for await (const piece of file.read()) {
    total += piece.length;
    if (total > file.sizeBytes) break;
    hash.update(piece);
    progress.add(piece.length);
    yield piece;
  }
  if (total !== file.sizeBytes)
    throw new PlanError("files", `${file.name} changed while it was read: its size is another`);
  ended(hash.digest("hex"));
}

async function hashFiles(files: readonly SourceFile[], progress: Progress): Promise<Map<string, string>> {
  const checksums = new Map<string, string>();
  for (const file of files) {
    const content = measured(file, progress, (checksum) => checksums.set(file.name, checksum));
    while ((await content.next()).done !== true);
  }
  return checksums;
}

/** The lines of a manifest for files of the payload and for parts of the header. @throws PlanError if there are too many. */
function manifestOf(
  files: readonly SourceFile[],
  checksums: ReadonlyMap<string, string>,
  parts: readonly SmallFile[],
): Uint8Array {
  const manifest = manifestContent(
    new Map([
      ...files.map(({ name }) => [manifestName(0, name), checksums.get(name) ?? ""] as const),
      ...parts.map(({ name, content: [bytes] }) => [name, sha256(bytes)] as const),
    ]),
  );
  if (manifest.length > ARTIFACT_LIMITS.manifestBytesMax) throw new PlanError("files", "there are too many files");
  return manifest;
}

/** A header's tar. */
async function compressed(files: readonly TarFile[], compress: Compressor): Promise<Buffer> {
  let expanded = 0;
  const blocks = async function* (): AsyncGenerator<Uint8Array> {
    for await (const block of tarOf(files)) {
      expanded += block.length;
      yield block;
    }
  };
  const pieces: Uint8Array[] = [];
  for await (const piece of compress(blocks())) pieces.push(piece);
  const header = Buffer.concat(pieces);
  const { headerBytesMax, headerExpandedBytesMax } = ARTIFACT_LIMITS;
  if (header.length > headerBytesMax || expanded > headerExpandedBytesMax) {
    throw new PlanError("scripts", `state scripts and meta-data take ${expanded} bytes, more than a header may have`);
  }
  return header;
}

/** data/0000.tar, before compression. */
function payloadTar(
  files: readonly SourceFile[],
  checksums: ReadonlyMap<string, string>,
  progress: Progress,
): AsyncGenerator<Uint8Array> {
  return tarOf(
    files.map((file): TarFile => {
      const content = measured(file, progress, (checksum) => {
        if (checksum === checksums.get(file.name)) return;
        throw new PlanError("files", `${file.name} changed while it was read: its content is another`);
      });
      return { name: file.name, sizeBytes: file.sizeBytes, mode: 0o644, content };
    }),
  );
}
