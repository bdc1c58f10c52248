import { createInterface } from "node:readline";
import { SystemError } from "@upkeep/shared/system";

/**
 * Asks a person at the terminal for a line.
 * @throws SystemError (EINTR) if the person gives up.
 */
export function promptForLine(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve, reject) => {
    let answer: string | undefined;
    lines.once("close", () => {
      if (answer !== undefined) resolve(answer);
      else {
        process.stderr.write("\n");
        reject(new SystemError("EINTR", "no answer was given; nothing was changed"));
      }
    });
    lines.once("SIGINT", () => lines.close());
    lines.question(question, (line) => {
      answer = line.trim();
      lines.close();
    });
  });
}
