import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { ManagementClient } from "./management.ts";
import { type Program, startProgram } from "./program.ts";
import { until } from "./waiting.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../mock-server/bin/upkeep-server.mjs");

/** What `serve --json` prints once it is ready. */
export interface Readiness {
  readonly url: string;
  readonly data: string;
  readonly certificate?: string;
  readonly administrator?: { readonly email: string; readonly password: string };
}

export interface RunningServer extends Readiness {
  readonly program: Program;
  readonly email: string;
  readonly password: string;
  /** Logged in as the administrator of the first start. */
  readonly management: ManagementClient;
  /** Wait until what the server wrote so far contains a match. */
  waitForOutput(pattern: RegExp): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

/** Start `upkeep-server serve --json` on a free port of this machine, and wait until it is ready or has ended. */
export async function startServe(
  dataDirectory: string,
  args: readonly string[] = [],
): Promise<{ readonly program: Program; readonly readiness: Readiness }> {
  const program = startProgram(process.execPath, [
    ...[UPKEEP_SERVER, "serve", "--json", "--data", dataDirectory, "--listen", "127.0.0.1:0"],
    ...args,
  ]);
  let ended: number | string | undefined;
  void program.ended.then((how) => {
    ended = how;
  });
  const line = await until(
    "the server is ready",
    () => {
      if (ended !== undefined) throw new Error(`the server ended with ${ended}:\n${program.output()}`);
      const end = program.stdout().indexOf("\n");
      return end < 0 ? undefined : program.stdout().slice(0, end);
    },
    { explain: program.output },
  );
  return { program, readiness: JSON.parse(line) as Readiness };
}

/** A server on a new data directory, with its administrator logged in. */
export async function startServer(dataDirectory: string, args: readonly string[] = []): Promise<RunningServer> {
  const { program, readiness } = await startServe(dataDirectory, args);
  const { administrator } = readiness;
  if (administrator === undefined) throw new Error(`${dataDirectory} is no new data directory`);
  const { email, password } = administrator;
  return {
    ...readiness,
    program,
    email,
    password,
    management: await ManagementClient.logIn(readiness.url, email, password),
    waitForOutput: async (pattern) => {
      await until(`the server writes ${pattern}`, () => pattern.test(program.output()) || undefined, {
        explain: program.output,
      });
    },
    stop: (signal) => program.stop(signal),
  };
}

/** Run another command of the server's program to its end. Returns its standard output; throws if it fails. */
export function runUpkeepServer(args: readonly string[]): string {
  return execFileSync(process.execPath, [UPKEEP_SERVER, ...args], { encoding: "utf8", stdio: "pipe" });
}
