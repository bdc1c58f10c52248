import { SystemError } from "@upkeep/shared/system";
import type { FaultPlan, Moment, Strike } from "../../faults/index.ts";
import type { DoorCall } from "../simulation/index.ts";

const CODES = {
  disk_full: ["ENOSPC", "no space left on device"],
  read_only_disk: ["EROFS", "read-only file system"],
  disk_fails: ["EIO", "input/output error"],
  disk_denied: ["EACCES", "permission denied"],
} as const;

const WRITES: ReadonlySet<string> = new Set(["file.write", "files.makeDirectory", "files.makeFifo", "files.rename"]);
/** What needs no space, and cannot be done all the same where nothing can be written. */
const CHANGES: ReadonlySet<string> = new Set([...WRITES, "files.remove", "files.setPermissions"]);

/** What lies in memory, and has no part in what happens to the disk. */
const IN_MEMORY = /^\/(run|proc|dev)\//;

/** True if disk faults can happen to this call. */
export function touchesDisk({ name, subject }: DoorCall): boolean {
  return CHANGES.has(name) && !IN_MEMORY.test(subject);
}

/**
 * How much room there is at `path`: none on a disk that is full. Asking is no write: it is not counted, and a fault that
 * chance decides on, or that lets some writes by first, says nothing yet.
 */
export function freeBytesOf(plan: FaultPlan, moment: Moment, path: string, bytes: number): number {
  if (IN_MEMORY.test(`${path}/`)) return bytes;
  return plan.certain("call", moment, ({ fault }) => fault === "disk_full").length > 0 ? 0 : bytes;
}

/** The error that a call on the disk ends in. */
export function diskError(strike: Strike<"call">, { name, subject }: DoorCall): SystemError | undefined {
  const needed = strike.fault === "disk_full" ? WRITES : CHANGES;
  if (!needed.has(name) || (strike.fault === "disk_full" && name === "files.rename")) return undefined;
  const [code, saying] = CODES[strike.fault];
  return new SystemError(code, `${code}: ${saying}, ${name} '${subject}'`);
}
