import type { ArtifactSink } from "./write.ts";

/** What a sink needs of a file that is open for writing: `node:fs/promises` has it. */
export interface OpenFile {
  write(data: Uint8Array, offset: number, length: number, position: number | null): Promise<{ bytesWritten: number }>;
}

/** Where an artifact is written to: `writeArtifact(plan, sinkOf(await open("release.mender", "w")))`. */
export function sinkOf(file: OpenFile): ArtifactSink {
  return {
    async write(data, position) {
      for (let done = 0; done < data.length; ) {
        const at = position === undefined ? null : position + done;
        const { bytesWritten } = await file.write(data, done, data.length - done, at);
        done += bytesWritten;
      }
    },
  };
}
