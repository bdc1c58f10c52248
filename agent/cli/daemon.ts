import { runAgent } from "../compose/run-agent.ts";
import { endWithinSecond } from "../system/ending.ts";
import { loadContext } from "./context.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";
import { readPassphrase } from "./passphrase.ts";

export interface DaemonOptions extends Globals {
  readonly passphraseFile?: string | undefined;
}

/** `upkeep daemon`: updates this device whenever its server has a deployment for it, until it is told to stop. */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  const reload = () => loadContext(options, { quiet: false });
  const context = await reload();
  const passphrase = await readPassphrase(context.system, options.passphraseFile);
  await runAgent(context, { passphrase, reload, programFile: process.argv[1] });
  endWithinSecond();
  return EXIT.ok;
}
