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

/** Write to standard error; at once, so that nothing is lost when the program ends. */
export function writeError(text: string): void {
  process.stderr.write(text);
}

export function writeOutput(text: string): void {
  process.stdout.write(text);
}
