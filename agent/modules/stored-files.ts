import type { PayloadFile } from "@upkeep/shared/artifact";
import { type Files, isSystemError } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { interruptible, pump } from "./flow.ts";

function diskFull(file: PayloadFile, detail: string, cause?: unknown): AgentError {
  return new AgentError(
    "disk-full",
    `no room to store payload file ${JSON.stringify(file.name)} of ${file.sizeBytes} bytes: ${detail}`,
    { cause },
  );
}

async function storeFile(files: Files, directory: string, file: PayloadFile, signal: AbortSignal): Promise<void> {
  const freeBytes = await files.freeBytes(directory);
  if (freeBytes < file.sizeBytes) throw diskFull(file, `${freeBytes} bytes are free`);
  const handle = await files.open(`${directory}/${file.name}`, "exclusive", 0o600);
  try {
    await pump(interruptible(file.content, signal), async (chunk) => {
      try {
        await handle.write(chunk);
      } catch (error) {
        if (isSystemError(error, "ENOSPC", "EDQUOT", "EFBIG")) throw diskFull(file, error.message, error);
        throw error;
      }
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Store a payload's files in the work tree's `files/`, and those that no signature covers in `files-augment/`,
 * for a module that does not stream. Durable when it resolves; when it rejects, nothing of it is left.
 * @throws AgentError `disk-full`, besides what reading the payload throws.
 */
export async function storeFiles(
  files: Files,
  tree: string,
  payloadFiles: AsyncIterable<PayloadFile>,
  { signal, augmented }: { readonly signal: AbortSignal; readonly augmented: boolean },
): Promise<void> {
  const signed = `${tree}/files`;
  const unsigned = `${tree}/files-augment`;
  const directories = augmented ? [signed, unsigned] : [signed];
  for (const directory of directories) await files.makeDirectory(directory, 0o700);
  try {
    for await (const file of payloadFiles) await storeFile(files, file.augmented ? unsigned : signed, file, signal);
    for (const directory of [...directories, tree]) await files.syncDirectory(directory);
  } catch (error) {
    for (const directory of directories) await files.remove(directory);
    throw error;
  }
}
