import { fstatSync } from "node:fs";
import { printableLines, wantsColours } from "@upkeep/shared/text";

/** The reader of standard error: a person, systemd's journal, or something else. */
export type Audience = "terminal" | "journal" | "other";

const STDERR = 2;

/** `JOURNAL_STREAM` names the journal's socket; it is inherited by programs whose output goes elsewhere. */
export function audienceOfErrors(): Audience {
  if (process.stderr.isTTY) return "terminal";
  const { dev, ino } = fstatSync(STDERR, { bigint: true });
  return process.env.JOURNAL_STREAM === `${dev}:${ino}` ? "journal" : "other";
}

/** Whether to colour what a person reads on standard error. */
export function wantsColouredErrors(): boolean {
  return wantsColours(process.env, process.stderr.isTTY === true);
}

let bearing = false;
let drawing = false;

/** Draws over the last line of the terminal that is standard error, without ending it. Any other output ends it first. */
export function drawLine(text: string): void {
  writeRawError(`\r${text}`);
  drawing = true;
}

/** Ends the line that was drawn, if there is one. */
export function endDrawnLine(): void {
  if (!drawing) return;
  drawing = false;
  process.stderr.write("\n");
}

/**
 * Write to standard error, synchronously, so that nothing is lost when the program ends. The error of a write without a
 * reader, such as a journal that restarts, is ignored: the daemon must continue, and has no other place for a message.
 */
export function writeRawError(text: string): void {
  if (!bearing) process.stderr.on("error", () => undefined);
  bearing = true;
  if (!text.startsWith("\r")) endDrawnLine();
  process.stderr.write(text);
}

/** {@link writeRawError}, for lines with text from outside: control characters other than line feeds are escaped. */
export function writeError(text: string): void {
  writeRawError(printableLines(text));
}

let watched = false;
let failed = false;

/**
 * Write to standard output. A failure is reported once and makes the exit code 1, but the program continues: an installation
 * must not stop in the middle because its output has no reader. Control characters other than line feeds are escaped in the
 * way of JSON, so JSON keeps its meaning.
 */
export function writeOutput(text: string): void {
  if (!watched) {
    process.stdout.on("error", ({ message }) => {
      // Also overrides an exit code that was set before.
      process.exitCode = 1;
      if (!failed) writeError(`upkeep: standard output cannot be written: ${message}\n`);
      failed = true;
    });
  }
  watched = true;
  if (process.stdout.isTTY) endDrawnLine();
  if (!failed) process.stdout.write(printableLines(text));
}

export function outputFailed(): boolean {
  return failed;
}
