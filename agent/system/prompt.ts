import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { isatty } from "node:tty";

const STDIN = 0;

/** True if a person sits at standard input. */
export function isInteractive(): boolean {
  return isatty(STDIN);
}

/** Asks a person, one line at a time. */
export interface Prompter {
  /** @returns What was typed, without blanks around it; `undefined` at the end of the input. */
  ask(question: string): Promise<string | undefined>;
  close(): void;
}

export function createPrompter(write: (text: string) => void): Prompter {
  const input = createReadStream("", { fd: STDIN, autoClose: false });
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const iterator = lines[Symbol.asyncIterator]();
  return {
    ask: async (question) => {
      write(question);
      const { value, done } = await iterator.next();
      return done === true ? undefined : String(value).trim();
    },
    close: () => {
      lines.close();
      input.destroy();
    },
  };
}
