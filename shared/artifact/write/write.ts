import { createHash, type KeyObject } from "node:crypto";
import { SUFFIXES } from "../compression/names.ts";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { manifestName, payloadDirectory } from "../manifest.ts";
import { type Compressor, type Compressors, compressorFor } from "./compress.ts";
import { headerFiles, manifestContent, VERSION_CONTENT } from "./contents.ts";
import { type ArtifactPlan, PlanError, type ResolvedPlan, resolvePlan, type SourceFile } from "./plan.ts";
import { signManifest } from "./signing.ts";
import { headerBlock, type TarFile, tarEnd, tarEntries, tarFile, tarOf } from "./tar.ts";

/** Where an artifact is written to. A file handle of the door is one. */
export interface ArtifactSink {
  /** Write at the end, or over what stands at `position`, which does not move the end. */
  write(data: Uint8Array, position?: number): Promise<void>;
}

export interface WriteOptions {
  readonly signingKey?: KeyObject;
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
  const compress = compressorFor(resolved.compression, options.compressors ?? {});
  const progress = new Progress(resolved.files, options.onProgress);
  const files = await hashFiles(resolved.files, progress);

  const header = await compressHeader(resolved, files, compress);
  const headerName = `header.tar${SUFFIXES[resolved.compression]}`;
  const manifest = manifestContent(
    new Map([
      ...[...files].map(([name, checksum]) => [manifestName(0, name), checksum] as const),
      [headerName, sha256(header)],
      ["version", sha256(VERSION_CONTENT)],
    ]),
  );
  if (manifest.length > ARTIFACT_LIMITS.manifestBytesMax) throw new PlanError("files", "there are too many files");

  const output = new Output(sink);
  const signature = options.signingKey === undefined ? undefined : signManifest(options.signingKey, manifest);
  const entries = [
    tarFile("version", VERSION_CONTENT),
    tarFile("manifest", manifest),
    ...(signature === undefined ? [] : [tarFile("manifest.sig", signature)]),
    tarFile(headerName, header),
  ];
  for await (const block of tarEntries(entries)) await output.write(block);

  // The payload's size is known once it is compressed and written: its header is then written again, in place.
  const payload = { name: `${payloadDirectory(0)}.tar${SUFFIXES[resolved.compression]}`, mode: 0o600 };
  const headerAt = output.position;
  await output.write(await headerBlock({ ...payload, sizeBytes: 0 }));
  const contentAt = output.position;
  for await (const piece of compress(payloadTar(resolved.files, files, progress))) await output.write(piece);
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

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
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

async function compressHeader(
  plan: ResolvedPlan,
  checksums: ReadonlyMap<string, string>,
  compress: Compressor,
): Promise<Buffer> {
  let expanded = 0;
  const blocks = async function* (): AsyncGenerator<Uint8Array> {
    for await (const block of tarOf(headerFiles(plan, checksums))) {
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
