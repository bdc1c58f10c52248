import { fstatSync } from "node:fs";

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
export function writeError(text: string): void {
  if (!bearing) process.stderr.on("error", () => undefined);
  bearing = true;
  process.stderr.write(text);
}

export function writeOutput(text: string): void {
  process.stdout.write(text);
}
