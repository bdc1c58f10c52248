import * as fs from "node:fs";
import { isSystemError } from "@upkeep/shared/system";
import { asSystemError, synchronously } from "./errors.ts";

/** Entries that are removed within one turn of the event loop. */
const PER_TURN = 64;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function unlessGone(call: () => void): void {
  try {
    call();
  } catch (error) {
    const known = asSystemError(error);
    if (!isSystemError(known, "ENOENT")) throw known;
  }
}

/** Removes a directory with everything in it. `fs.rm` starts the removal of all of a directory's files at once. */
export async function removeTree(directory: string): Promise<void> {
  let removed = 0;
  for (const entry of synchronously(() => fs.readdirSync(directory, { withFileTypes: true }))) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) await removeTree(path);
    else unlessGone(() => fs.unlinkSync(path));
    if (++removed % PER_TURN === 0) await nextTurn();
  }
  unlessGone(() => fs.rmdirSync(directory));
}
