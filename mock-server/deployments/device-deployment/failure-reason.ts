import type { LogMessage } from "@upkeep/shared/protocol";
import { printable, wellFormed } from "@upkeep/shared/text";
import type { DeviceDeploymentRecord } from "../../storage/index.ts";

const LENGTH_MAX = 200;
const ERRORS = ["error", "fatal", "critical", "panic"];

/** Parts of messages that differ from device to device: with them, no two failures would be alike. */
const PARTICULARS = [
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi,
  /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?/g,
  /\b\d{1,3}(?:\.\d{1,3}){3}\b/g,
  /\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi,
  /\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/gi,
  /\b\d{4,}\b/g,
];

/** A text as a reason by which failures are grouped: one line, without ids, addresses, times and long numbers. */
export function reasonOf(text: string): string {
  const common = PARTICULARS.reduce(
    (rest, particular) => rest.replace(particular, "…"),
    text.slice(0, 10 * LENGTH_MAX),
  );
  return wellFormed(printable(common.trim()).slice(0, LENGTH_MAX));
}

/** The last error in a log; `undefined` if there is none. */
export function reasonInLog(messages: readonly LogMessage[]): string | undefined {
  const last = messages.findLast(({ level }) => ERRORS.includes(level.toLowerCase()));
  return last === undefined ? undefined : reasonOf(last.message);
}

/** The reason of an attempt that fails now: the last error in its log, if that came before, else its substate. */
export function failureReason(
  { reason, substate: before }: Pick<DeviceDeploymentRecord, "reason" | "substate">,
  substate: string | undefined,
): string | null {
  const told = substate || before;
  return reason ?? (told === null ? null : reasonOf(told));
}
