import { openSync, writeSync } from "node:fs";
import { synchronously } from "./errors.ts";
import { writeRawError } from "./terminal.ts";

const PERMISSIONS = 0o600;

/**
 * Appends to a log file, line by line. A line that cannot be written there goes to standard error.
 * @throws SystemError if the file cannot be opened.
 */
export function openLogFile(path: string): (line: string) => void {
  const descriptor = synchronously(() => openSync(path, "a", PERMISSIONS));
  return (line) => {
    try {
      writeSync(descriptor, line);
    } catch {
      writeRawError(line);
    }
  };
}
