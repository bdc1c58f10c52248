import { createDeviceClient, keyLocation } from "../compose/client.ts";
import { type AgentContext, type HeldDevice, withDevice } from "../compose/context.ts";
import { holderOf, signalDaemon } from "../daemon/lock.ts";
import { readDaemonStatus } from "../daemon/status.ts";
import { makeDeviceKey } from "../device/keys.ts";
import { AgentError } from "../errors.ts";
import { writeOutput } from "../system/terminal.ts";
import { loadContext } from "./context.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";
import { readPassphrase } from "./passphrase.ts";

const LOGIN_MS_MAX = 30_000;
/** From one look at the daemon's status to the next. */
const LOOK_MS = 200;

export interface BootstrapOptions extends Globals {
  /** Make a new key even if there is one. */
  readonly force?: boolean | undefined;
  readonly passphraseFile?: string | undefined;
}

async function renewKey(device: HeldDevice): Promise<void> {
  const { path, generate } = keyLocation(device);
  if (generate === undefined) {
    throw new AgentError("key-static", `the key ${path} is named by Security.AuthPrivateKey: it is never made anew`);
  }
  await makeDeviceKey(device.system.files, path, generate);
  writeOutput(`A new key was made, ${path}: to the server this is a new device.\n`);
}

async function logIn(device: HeldDevice, passphrase: string | undefined): Promise<void> {
  const { config, system } = device;
  const server = await createDeviceClient(device, passphrase);
  const limit = new AbortController();
  const timer = system.timers.after(LOGIN_MS_MAX, () =>
    limit.abort(
      new AgentError("login-timeout", `no server has answered within ${LOGIN_MS_MAX / 1000} s`, { retryable: true }),
    ),
  );
  try {
    await server.loginAfresh(limit.signal);
  } finally {
    timer.cancel();
  }
  writeOutput(`This device is accepted by ${config.servers.join(" or ")}.\n`);
}

/**
 * Asks the running daemon, which holds the device, to poll now.
 * @throws AgentError `daemon-not-set-up`, `daemon-busy`, `login-failed` or `login-timeout`.
 */
async function askDaemon({ system, paths, config }: AgentContext): Promise<void> {
  const seen = async () => await readDaemonStatus(system, paths.run, paths.datastore);
  const before = await seen();
  if (before?.activity === "not set up") {
    throw new AgentError("daemon-not-set-up", "the running daemon waits for 'upkeep setup'");
  }
  if (before?.activity === "updating") {
    throw new AgentError("daemon-busy", "the running daemon is at work on an update; 'upkeep status' shows it", {
      retryable: true,
    });
  }
  await signalDaemon(system, paths, "USR1", false);
  for (let waitedMs = 0; waitedMs < LOGIN_MS_MAX; waitedMs += LOOK_MS) {
    await system.timers.sleep(LOOK_MS);
    const server = (await seen())?.server ?? null;
    if (server === null || server.atMs === before?.server?.atMs) continue;
    if (server.fault !== null) throw new AgentError("login-failed", server.fault, { retryable: true });
    writeOutput(`This device is accepted by ${config.servers.join(" or ")}, as the running daemon says.\n`);
    return;
  }
  throw new AgentError("login-timeout", `the running daemon has not polled within ${LOGIN_MS_MAX / 1000} s`, {
    retryable: true,
  });
}

/** `upkeep bootstrap`: make the device's key if there is none, and log in once. Fails if no server lets it in. */
export async function bootstrap(options: BootstrapOptions): Promise<ExitCode> {
  const context = await loadContext(options, { quiet: true });
  const holder = await holderOf(context.system.files, context.paths);
  if (holder?.command === "daemon" && !options.force) {
    await askDaemon(context);
    return EXIT.ok;
  }
  const passphrase = await readPassphrase(context.system, options.passphraseFile);
  await withDevice(context, "bootstrap", async (device) => {
    if (options.force) await renewKey(device);
    await logIn(device, options.force ? undefined : passphrase);
  });
  return EXIT.ok;
}
