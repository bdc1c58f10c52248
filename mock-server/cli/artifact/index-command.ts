import { openArtifact } from "@upkeep/shared/artifact";
import { averageFor, decodeChunkIndex } from "@upkeep/shared/artifact/adaptive";
import { checkIndex, indexArtifact } from "@upkeep/shared/artifact/adaptive/write";
import type { Argv } from "yargs";
import { compressInThreads } from "../../releases/adaptive/chunk-compression.ts";
import { NodeWorkers } from "../../system/workers.ts";
import { withArtifact, writeOutput } from "./files.ts";
import { addFlags, JSON_FLAG, PROGRESS_FLAG } from "./flags.ts";
import { startProgress } from "./progress.ts";
import { ArtifactCommandError, type ArtifactContext, printJson, run } from "./run.ts";

/** The parallel work of compressing, on machines with more processors too. */
const THREADS = 4;

export function addIndexCommand<T>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  return argv.command(
    "index <path>",
    "Write PATH.index and PATH.chunks, from which devices download adaptively, as a server makes them",
    (builder) =>
      addFlags(builder.positional("path", { type: "string", demandOption: true, describe: "The artifact" }), {
        ...PROGRESS_FLAG,
        ...JSON_FLAG,
      }),
    (flags) =>
      run(context, flags.json, async () => {
        const { path } = flags;
        const made = await withArtifact(context, path, async ({ sizeBytes }) => {
          const progress = await startProgress(context, "Indexing", 3 * sizeBytes, flags);
          try {
            return await makeFiles(context, path, (pass) => (bytes) => progress.update(pass * sizeBytes + bytes));
          } finally {
            progress.stop();
          }
        });
        if (flags.json) printJson(context, made);
        else {
          const { index, chunks } = made;
          context.out.write(`${index.path}: ${index.size} bytes\n${chunks.path}: ${chunks.size} bytes\n`);
        }
      }),
  );
}

interface Made {
  readonly index: { readonly path: string; readonly size: number };
  readonly chunks: { readonly path: string; readonly size: number };
}

/** @param counting Gives what is told of the bytes of each pass. */
async function makeFiles(
  context: ArtifactContext,
  path: string,
  counting: (pass: number) => (bytes: number) => void,
): Promise<Made> {
  const payloadBytes = await withArtifact(context, path, ({ content }) => payloadSize(counted(content, counting(0))));
  const chunksPath = `${path}.chunks`;
  let chunkBytes = 0;
  const compression = compressInThreads(new NodeWorkers(), THREADS);
  let made: Uint8Array | undefined;
  try {
    made = await writeOutput(context, chunksPath, (sink) =>
      withArtifact(context, path, ({ content }) =>
        indexArtifact(content, averageFor(payloadBytes), {
          compress: compression.compress,
          write: async (stored) => {
            chunkBytes += stored.length;
            await sink.write(stored);
          },
          onProgress: counting(1),
        }),
      ),
    );
  } finally {
    await compression.close();
  }
  const bytes = made;
  if (bytes === undefined) {
    throw new ArtifactCommandError("no-index", `${path}: it has no payload, or too large a one for an index`);
  }
  const index = decodeChunkIndex(bytes);
  await withArtifact(context, path, ({ content }) =>
    withArtifact(context, chunksPath, (chunks) => checkIndex(index, counted(content, counting(2)), chunks.content)),
  );
  const indexPath = `${path}.index`;
  await writeOutput(context, indexPath, (sink) => sink.write(bytes));
  return { index: { path: indexPath, size: bytes.length }, chunks: { path: chunksPath, size: chunkBytes } };
}

/** Bytes of all payload files, of an artifact that is read and verified. */
async function payloadSize(content: AsyncIterable<Uint8Array>): Promise<number> {
  const reading = await openArtifact(content, { augmented: true });
  let sizeBytes = 0;
  for await (const payload of reading.payloads()) {
    for await (const file of payload.files()) sizeBytes += file.sizeBytes;
  }
  return sizeBytes;
}

async function* counted(source: AsyncIterable<Uint8Array>, tell: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of source) {
    yield chunk;
    total += chunk.length;
    tell(total);
  }
}
