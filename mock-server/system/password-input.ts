import { SystemError } from "@upkeep/shared/system";

const INTERRUPT = "\u0003";
const END = "\u0004";
const ERASE = new Set(["\u007f", "\b"]);

/** True if a person sits at standard input. */
export function isTerminalInput(): boolean {
  return process.stdin.isTTY === true;
}

/** All of standard input. @throws SystemError (EFBIG) */
export async function readStandardInput(bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new SystemError("EFBIG", `it is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * Ask a person at the terminal, who does not see what is typed.
 * @throws SystemError (EINTR) if the person gives up.
 */
export function promptForPassword(question: string): Promise<string> {
  const { stdin, stderr } = process;
  // Before the question: what is typed at once must not be shown either.
  stdin.setRawMode(true);
  stderr.write(question);
  stdin.setEncoding("utf8");
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = "";
    const end = (): void => {
      stdin.off("data", take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
    };
    const take = (text: string): void => {
      for (const character of text) {
        if (character === INTERRUPT || character === END) {
          end();
          reject(new SystemError("EINTR", "no password was given; nothing was changed"));
          return;
        }
        if (character === "\r" || character === "\n") {
          end();
          resolve(typed);
          return;
        }
        typed = ERASE.has(character) ? [...typed].slice(0, -1).join("") : typed + character;
      }
    };
    stdin.on("data", take);
  });
}
