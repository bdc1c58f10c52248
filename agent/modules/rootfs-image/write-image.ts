import type { FileHandle, Files } from "@upkeep/shared/system";
import { AgentError } from "../../errors.ts";
import { pump } from "../flow.ts";

/** Images are compared and written in aligned blocks of this size: a multiple of the usual erase blocks of flash. */
export const BLOCK_BYTES = 1024 * 1024;

/** Bytes between two syncs: bounds the dirty pages, and the wait for the last sync. */
export const SYNC_EVERY_BYTES = 16 * BLOCK_BYTES;

export interface Image {
  readonly sizeBytes: number;
  /** The size is unknown: the image may be shorter. */
  readonly orLess?: boolean;
  /** Chunks of any length. */
  readonly content: AsyncIterable<Uint8Array>;
}

export interface WriteProgress {
  /** Bytes of the image so far. */
  readonly doneBytes: number;
  /** Bytes of these that were on the device already and were not written. */
  readonly equalBytes: number;
}

/**
 * `content` in blocks of {@link BLOCK_BYTES}; the last one may be shorter. A block is valid until the one after
 * the next is requested: two buffers are enough for an image of any size.
 */
async function* blocksOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let filling = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let spare = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let filled = 0;
  for await (const chunk of content) {
    for (let taken = 0; taken < chunk.length; ) {
      const part = chunk.subarray(taken, taken + BLOCK_BYTES - filled);
      filling.set(part, filled);
      filled += part.length;
      taken += part.length;
      if (filled < BLOCK_BYTES) continue;
      yield filling;
      [filling, spare] = [spare, filling];
      filled = 0;
    }
  }
  if (filled > 0) yield filling.subarray(0, filled);
}

/** True if the device holds `block` at `position` already. */
async function isThere(device: FileHandle, block: Uint8Array, position: number, buffer: Uint8Array): Promise<boolean> {
  const found = buffer.subarray(0, block.length);
  for (let filled = 0; filled < found.length; ) {
    const count = await device.read(found.subarray(filled), position + filled);
    if (count === 0) return false;
    filled += count;
  }
  return Buffer.compare(block, found) === 0;
}

/**
 * Write an image to the beginning of a device. Equal blocks are skipped, because flash wears with each write. The image is
 * durable when it resolves.
 * @throws AgentError `image-incomplete` or `image-too-long` if the content is not as long as the image.
 */
export async function writeImage(
  files: Files,
  path: string,
  image: Image,
  onProgress: (progress: WriteProgress) => void,
): Promise<WriteProgress> {
  const device = await files.open(path, "update");
  const compare = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let doneBytes = 0;
  let equalBytes = 0;
  let unsyncedBytes = 0;
  const take = async (block: Uint8Array): Promise<void> => {
    if (doneBytes + block.length > image.sizeBytes) {
      throw new AgentError(
        "image-too-long",
        image.orLess === true
          ? `the image has more than the ${image.sizeBytes} bytes that there is room for`
          : `the image goes on after its ${image.sizeBytes} bytes`,
      );
    }
    if (await isThere(device, block, doneBytes, compare)) {
      equalBytes += block.length;
    } else {
      await device.write(block, doneBytes);
      unsyncedBytes += block.length;
    }
    doneBytes += block.length;
    if (unsyncedBytes >= SYNC_EVERY_BYTES) {
      await device.sync();
      unsyncedBytes = 0;
    }
    onProgress({ doneBytes, equalBytes });
  };
  try {
    await pump(blocksOf(image.content), take);
    if (doneBytes !== image.sizeBytes && image.orLess !== true) {
      throw new AgentError("image-incomplete", `the image ends after ${doneBytes} of ${image.sizeBytes} bytes`);
    }
    if (unsyncedBytes > 0) await device.sync();
  } finally {
    await device.close();
  }
  return { doneBytes, equalBytes };
}
