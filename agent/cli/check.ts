import { runCheck } from "../compose/run-check.ts";
import type { CheckOutcome } from "../daemon/daemon.ts";
import { endWithinSecond } from "../system/ending.ts";
import { loadContext } from "./context.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";
import { readPassphrase } from "./passphrase.ts";

export interface CheckOptions extends Globals {
  readonly now?: boolean | undefined;
  readonly passphraseFile?: string | undefined;
}

const CODES: Readonly<Record<CheckOutcome, ExitCode>> = {
  done: EXIT.ok,
  failed: EXIT.failure,
  "update-failed": EXIT.updateFailed,
  unfinished: EXIT.unfinished,
};

/** `upkeep check`: asks for an update once, installs what the server offers, and ends. For a timer, in place of the daemon. */
export async function check({ now = false, passphraseFile, ...options }: CheckOptions): Promise<ExitCode> {
  const context = await loadContext(options, { quiet: false });
  const passphrase = await readPassphrase(context.system, passphraseFile);
  const outcome = await runCheck(context, { passphrase, now });
  endWithinSecond();
  return CODES[outcome];
}
