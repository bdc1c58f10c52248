import { fstatSync } from "node:fs";
import { printableLines } from "@upkeep/shared/text";

/** What reads standard error: a person, systemd's journal, or something else. */
export type Audience = "terminal" | "journal" | "other";

const STDERR = 2;

/** `JOURNAL_STREAM` names the journal's socket; it is inherited by programs whose output goes elsewhere. */
export function audienceOfErrors(): Audience {
  if (process.stderr.isTTY) return "terminal";
  const { dev, ino } = fstatSync(STDERR, { bigint: true });
  return process.env.JOURNAL_STREAM === `${dev}:${ino}` ? "journal" : "other";
}

let bearing = false;

/**
 * Write to standard error; at once, so that nothing is lost when the program ends. Whoever read it may be gone,
 * such as a journal that is restarted: that is no reason for a daemon to end, and there is nobody to tell.
 */
export function writeRawError(text: string): void {
  if (!bearing) process.stderr.on("error", () => undefined);
  bearing = true;
  process.stderr.write(text);
}

/** {@link writeRawError}, for lines with text from outside: control characters other than line feeds are escaped. */
export function writeError(text: string): void {
  writeRawError(printableLines(text));
}

let watched = false;
let failed = false;

/**
 * Write to standard output. If that fails, it is told once, and the program ends with 1; what it does goes on: an
 * installation must not stop in the middle because its output has no reader. Control characters other than line
 * feeds are escaped, as JSON escapes them: JSON stays the same JSON.
 */
export function writeOutput(text: string): void {
  if (!watched) {
    process.stdout.on("error", ({ message }) => {
      // The code of a program that has said what it ends with already, too.
      process.exitCode = 1;
      if (!failed) writeError(`upkeep: standard output cannot be written: ${message}\n`);
      failed = true;
    });
  }
  watched = true;
  if (!failed) process.stdout.write(printableLines(text));
}

export function outputFailed(): boolean {
  return failed;
}
