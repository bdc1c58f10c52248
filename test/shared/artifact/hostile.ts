import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const FOLDER = join(import.meta.dirname, "hostile");

/** Artifacts in test/shared/artifact/hostile, and what is refused of them. */
export const HOSTILE = {
  /** One block of zstd in the header claims 98,047 sequences in 11 bytes. */
  "zstd-hang-header": "compression-damaged",
  /** The same in the payload, behind a header whose signature is good. */
  "signed-swapped-zst": "compression-damaged",
  /** header-info is 1 GiB of zeros, as 156 kB of xz. */
  "hdr1g.xz": "too-large",
} as const;

/** Valid artifacts: a payload of 256 MiB of zeros, as 8 kB of zstd and 38 kB of xz. */
export const ZEROS = ["z256.zst", "z256.xz"] as const;

export function hostileArtifact(name: string): Buffer {
  return gunzipSync(readFileSync(join(FOLDER, `${name}.mender.gz`)));
}

/** What stands in an artifact under `name`, found by its tar header. */
export function entryOf(artifact: Uint8Array, name: string): Buffer {
  const bytes = Buffer.from(artifact);
  for (let offset = 0; offset < bytes.length; ) {
    const size = Number.parseInt(bytes.toString("latin1", offset + 124, offset + 135), 8);
    const start = offset + 512;
    if (bytes.toString("latin1", offset, offset + 100).replace(/\0.*$/s, "") === name) {
      return bytes.subarray(start, start + size);
    }
    offset = start + Math.ceil(size / 512) * 512;
  }
  throw new Error(`no entry ${name}`);
}
