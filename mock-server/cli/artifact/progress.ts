import type { ArtifactContext } from "./run.ts";

const MIB = 1024 * 1024;
/** Shorter work ends before a bar would be seen. */
const LONG_WORK_BYTES = 32 * MIB;

export interface Progress {
  update(doneBytes: number): void;
  /** Counts what passes. */
  counting(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  stop(): void;
}

async function* passing(source: AsyncIterable<Uint8Array>, done: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of source) {
    total += chunk.length;
    done(total);
    yield chunk;
  }
}

/** A progress bar on standard error during long work, if that is a terminal. */
export async function startProgress(
  context: ArtifactContext,
  title: string,
  totalBytes: number,
  { noProgress = false }: { readonly noProgress?: boolean } = {},
): Promise<Progress> {
  if (noProgress || !context.error.isTerminal || totalBytes < LONG_WORK_BYTES) {
    return { update: () => undefined, counting: (source) => source, stop: () => undefined };
  }
  const { SingleBar, Presets } = (await import("cli-progress")).default;
  const format = `${title} {bar} {percentage}% {value}/{total} MiB, {eta_formatted} left`;
  const bar = new SingleBar({ format, hideCursor: true, clearOnComplete: true }, Presets.shades_classic);
  bar.start(Math.ceil(totalBytes / MIB), 0);
  const update = (doneBytes: number): void => bar.update(Math.floor(doneBytes / MIB));
  return { update, counting: (source) => passing(source, update), stop: () => bar.stop() };
}
