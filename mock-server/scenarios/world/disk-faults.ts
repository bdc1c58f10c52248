import { SystemError } from "@upkeep/shared/system";
import { CHANGES, type DiskEffect } from "../../faults/effects/machine.ts";
import { effectOf, type FaultPlan, type Moment } from "../../faults/index.ts";
import type { DoorCall } from "../simulation/index.ts";

/** File systems in memory: faults of the disk do not concern them, and a power cut leaves nothing of them. */
const IN_MEMORY = /^\/(run|proc|dev)\//;

export function isInMemory({ subject }: Pick<DoorCall, "subject">): boolean {
  return IN_MEMORY.test(subject);
}

/** True if faults of the disk can happen to this call. */
export function touchesDisk({ name, subject }: DoorCall): boolean {
  return CHANGES.has(name) && !isInMemory({ subject });
}

/**
 * The free space at `path`: none on a disk that is full. Asking is not a write, so nothing is counted, and a fault that
 * has a probability or skips the first writes does not show yet.
 */
export function freeBytesOf(plan: FaultPlan, moment: Moment, path: string, bytes: number): number {
  if (IN_MEMORY.test(`${path}/`)) return bytes;
  return plan.certain("disk", moment, (one) => effectOf<"disk">(one).code === "ENOSPC").length > 0 ? 0 : bytes;
}

/** The error with which a call on the disk fails. */
export function diskError({ code, text }: DiskEffect, { name, subject }: DoorCall): SystemError {
  return new SystemError(code, `${code}: ${text}, ${name} '${subject}'`);
}
