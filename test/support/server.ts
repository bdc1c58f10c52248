import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { ManagementClient } from "./management.ts";
import { type Program, startProgram } from "./program.ts";
import { until } from "./waiting.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../mock-server/bin/upkeep-server.mjs");
/** Its database is compiled for one version of Node, which need not be that of the agent under test. */
const NODE = process.env.UPKEEP_TEST_SERVER_NODE ?? process.execPath;

export interface RunningServer {
  readonly url: string;
  readonly email: string;
  readonly password: string;
  readonly program: Program;
  /** Logged in as the administrator. */
  readonly management: ManagementClient;
  /** Wait until the server has logged something that matches. */
  waitForOutput(pattern: RegExp): Promise<void>;
  stop(): Promise<void>;
}

type Administrator = Pick<RunningServer, "email" | "password">;

/**
 * Start the built server on a free port, with everything below `data`.
 * @param known The administrator, if a server has run with this data before.
 */
export async function startServer(
  data: string,
  args: readonly string[] = [],
  known?: Administrator,
): Promise<RunningServer> {
  const program = startProgram(NODE, [
    ...[UPKEEP_SERVER, "serve", "--data", data, "--listen", "127.0.0.1:0", "--json", "--log-format", "json"],
    ...args,
  ]);
  const ready = until("the server says where it is", () => program.stdout().match(/^\{.*\}$/m)?.[0], {
    explain: program.output,
  });
  const gone = program.ended.then((end) => {
    throw new Error(`the server ended at once (${end}):\n${program.output()}`);
  });
  const said = JSON.parse(await Promise.race([ready, gone])) as { url: string; administrator: Administrator };
  const { url } = said;
  const { email, password } = known ?? said.administrator;
  return {
    ...{ url, email, password, program },
    management: await ManagementClient.logIn(url, email, password),
    waitForOutput: async (pattern) => {
      await until(`the server logs ${pattern}`, () => pattern.test(program.output()) || undefined, {
        explain: program.output,
      });
    },
    stop: async () => {
      await program.stop();
    },
  };
}

/** Run one of the server's other commands to its end. Returns its standard output; throws if it fails. */
export function runUpkeepServer(args: readonly string[]): string {
  return execFileSync(NODE, [UPKEEP_SERVER, ...args], { encoding: "utf8", stdio: "pipe" });
}
