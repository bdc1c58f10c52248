import { resolve } from "node:path";
import type { System } from "@upkeep/shared/system";
import { readPassphraseFile } from "../compose/passphrase.ts";

/**
 * The passphrase of the device's key: the first line of `file`, or of standard input if that is `-`.
 * @throws AgentError `passphrase-unreadable`.
 */
export async function readPassphrase(
  system: Pick<System, "files">,
  file: string | undefined,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return await readPassphraseFile(system, "--passphrase-file", file === "-" ? "/dev/stdin" : resolve(file));
}
