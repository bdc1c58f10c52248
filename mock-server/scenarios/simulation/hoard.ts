import { type Files, isSystemError, removeDurably } from "@upkeep/shared/system";

/** On a file system that has no end, it ends here. */
const FILES_MAX = 10_000;
const BYTES_MAX = 64 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

async function untilFull(step: () => Promise<unknown>, stepsMax: number): Promise<void> {
  try {
    for (let count = 0; count < stepsMax; count++) await step();
  } catch (error) {
    if (!isSystemError(error, "ENOSPC")) throw error;
  }
}

/** Take every inode and every byte of the file system that holds `directory`, which is made for it. */
export async function hoard(files: Files, directory: string): Promise<void> {
  let count = 0;
  await files.makeDirectory(directory);
  await untilFull(async () => {
    const file = await files.open(`${directory}/${count}`, "exclusive");
    await file.close();
    // One step after the other: of many that are not durable a power cut would leave any combination.
    await files.syncDirectory(directory);
    count++;
  }, FILES_MAX);
  if (count === 0) return;
  const file = await files.open(`${directory}/0`, "append");
  const chunk = new Uint8Array(CHUNK_BYTES);
  await untilFull(async () => {
    await file.write(chunk);
    await file.sync();
  }, BYTES_MAX / CHUNK_BYTES);
  await file.sync();
  await file.close();
}

/** Give back what {@link hoard} took. Harmless where nothing was. */
export async function unhoard(files: Files, directory: string): Promise<void> {
  await removeDurably(files, directory);
}
