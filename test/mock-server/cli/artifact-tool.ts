import yargs from "yargs";
import type { ArtifactContext } from "../../../mock-server/cli/artifact/run.ts";
import { artifactCommand } from "../../../mock-server/cli/artifact.ts";
import { openSystem } from "../../../mock-server/system/index.ts";

export interface Ended {
  /** Standard output as text. */
  readonly out: string;
  readonly bytes: Buffer;
  readonly error: string;
  readonly status: number;
}

/** Runs `upkeep-server artifact …` as the program does, with its output kept. */
export async function artifactTool(args: readonly string[], given: Partial<ArtifactContext> = {}): Promise<Ended> {
  const out: Uint8Array[] = [];
  const ended = { error: "", status: 0 };
  const system = openSystem();
  const command = artifactCommand(system, {
    system,
    out: {
      isTerminal: false,
      write: (text) => void out.push(Buffer.from(text)),
      writeBytes: async (data) => void out.push(Uint8Array.from(data)),
    },
    error: {
      isTerminal: false,
      write: (text) => {
        ended.error += text;
      },
    },
    setExitStatus: (status) => {
      ended.status = status;
    },
    input: () => {
      throw new Error("nothing is read from standard input here");
    },
    keyPassphrase: undefined,
    temporaryDirectory: "/tmp",
    ...given,
  });
  await yargs(["artifact", ...args])
    .command({ command: "artifact", ...command })
    .strict()
    .parserConfiguration({ "duplicate-arguments-array": false })
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new Error(message);
    })
    .parseAsync();
  const bytes = Buffer.concat(out);
  return { ...ended, out: bytes.toString(), bytes };
}
