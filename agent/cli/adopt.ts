import { createHash, createPublicKey } from "node:crypto";
import { resolve } from "node:path";
import type { Provides } from "@upkeep/shared/compatibility";
import { given } from "@upkeep/shared/given";
import { readFile, replaceFile } from "@upkeep/shared/system";
import { keyLocation } from "../compose/client.ts";
import { type HeldDevice, withDevice } from "../compose/context.ts";
import { deviceTypeFile } from "../compose/from-config.ts";
import { underRoot } from "../config/paths.ts";
import { OLD_SERVICES, type OldProvides, readOldProvides, runningServices } from "../device/adopt.ts";
import { readDeviceType } from "../device/device-type.ts";
import { readIdentities } from "../device/identity.ts";
import { loadDeviceKey } from "../device/keys.ts";
import { AgentError } from "../errors.ts";
import { writeOutput } from "../system/terminal.ts";
import { loadContext } from "./context.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";
import { readPassphrase } from "./passphrase.ts";

const OLD_DATASTORE = "/var/lib/mender";
const ARTIFACT_INFO = "/etc/mender/artifact_info";
const COLUMN = 15;
const FILE_BYTES_MAX = 1024 * 1024;

export interface AdoptOptions extends Globals {
  /** The old client's data directory. */
  readonly from?: string | undefined;
  /** Replace files that upkeep has already. */
  readonly force?: boolean | undefined;
  readonly passphraseFile?: string | undefined;
}

type Say = (what: string, line: string) => void;

interface Plan {
  readonly device: HeldDevice;
  /** The old client's data directory. */
  readonly from: string;
  /** The file that names what was installed at the factory. */
  readonly artifactInfo: string;
  readonly force: boolean;
  readonly passphrase: string | undefined;
  readonly say: Say;
}

/**
 * Put a file of the old client where upkeep looks for it, unless both look in the same place.
 * @returns What was done, for a person; `undefined` if the old client has no such file.
 */
async function takeFile({ device, force }: Plan, from: string, to: string, mode: number): Promise<string | undefined> {
  const { files } = device.system;
  const theirs = await readFile(files, from, FILE_BYTES_MAX);
  if (theirs === undefined) return undefined;
  if (from === to) return `${to} is used as it is`;
  const ours = await readFile(files, to, FILE_BYTES_MAX);
  if (ours?.equals(theirs)) return `${to} is the same as ${from} already`;
  if (ours !== undefined && !force) {
    throw new AgentError(
      "adopt-conflict",
      `${to} is there already and differs from the old client's ${from}; --force replaces it`,
    );
  }
  await replaceFile(files, to, theirs, mode);
  return `${from} was copied to ${to}`;
}

/**
 * A client that only ever installed by hand has a store, and no key.
 * @throws AgentError `old-key-missing` where there is neither.
 */
async function takeKey(plan: Plan, { hasStore }: OldProvides): Promise<void> {
  const { device, from, passphrase, say } = plan;
  const location = keyLocation(device);
  if (device.config.staticKey === undefined) {
    const old = `${from}/mender-agent.pem`;
    if (hasStore && (await device.system.files.status(old)) === undefined) {
      const ours = (await device.system.files.status(location.path)) === undefined ? "is made with" : "is used for";
      say("key", `the old client has none: it never logged in; ${location.path} ${ours} the first login`);
      return;
    }
    // Checked before it is copied: an unusable key must not replace a usable one.
    await loadDeviceKey(
      device.system.files,
      passphrase === undefined ? { path: old } : { path: old, passphrase },
      () => undefined,
    ).catch((error: unknown) => {
      if (!(error instanceof AgentError) || error.code !== "key-unreadable") throw error;
      throw new AgentError("old-key-missing", `there is no client to take over from: ${error.message}`, {
        cause: error,
      });
    });
    say("key", (await takeFile(plan, old, location.path, 0o600)) ?? `${old} is gone`);
  } else {
    say("key", `${location.path} is used, as Security.AuthPrivateKey says`);
    if (location.path.startsWith("pkcs11:")) return;
  }
  const usable = { path: location.path, ...given({ passphrase }) };
  const { publicPem } = await loadDeviceKey(device.system.files, usable, () => undefined);
  const der = createPublicKey(publicPem).export({ type: "spki", format: "der" });
  say("", `SHA-256 of its public key: ${createHash("sha256").update(der).digest("hex")}`);
}

/**
 * What upkeep sends as the device's identity, and warnings if the old client sent something else. A device that never
 * logged in needs none.
 */
async function identityOf({ device, from }: Plan, { isThreeX, hasStore }: OldProvides): Promise<[string, string][]> {
  const { system, paths } = device;
  const program = paths.identityScript;
  const lines: [string, string][] = [];
  try {
    const { ours, menderFour } = await readIdentities(system, program);
    lines.push(["identity", ours]);
    if (ours !== menderFour && !isThreeX) {
      lines.push([
        "attention",
        `${program} ends its lines with CR LF: a client of 4.0 or newer sent ${menderFour}, and then the server takes ` +
          `this device for a new one, which it must accept; one of the 3.x line sent what upkeep sends`,
      ]);
    }
    if (program === paths.packageIdentityScript) {
      const theirs = paths.deviceIdentityScript;
      lines.push([
        "attention",
        `${theirs}, which the old client ran, does not exist, so ${program} is run: compare what it says with the server`,
      ]);
    }
    return lines;
  } catch (error) {
    const neverLoggedIn = hasStore && (await system.files.status(`${from}/mender-agent.pem`)) === undefined;
    if (!(error instanceof AgentError) || !neverLoggedIn) throw error;
    return [["identity", `unknown: ${error.message}`]];
  }
}

async function takeDeviceType(plan: Plan): Promise<void> {
  const { device, from, say } = plan;
  const file = deviceTypeFile(device);
  const taken =
    device.config.deviceTypeFile === undefined ? await takeFile(plan, `${from}/device_type`, file, 0o644) : undefined;
  say("device type", `${await readDeviceType(device.system.files, file)}; ${taken ?? `${file} is used`}`);
}

function same(one: Provides, other: Provides): boolean {
  const sorted = (provides: Provides): string => JSON.stringify(Object.entries(provides).sort());
  return sorted(one) === sorted(other);
}

async function takeProvides({ device, force, say }: Plan, { provides, source }: OldProvides): Promise<void> {
  const { store } = device;
  if (provides === undefined) {
    say("provides", `the old client never installed anything (${source})`);
    return;
  }
  if (store.provides === undefined || (force && !same(store.provides, provides))) {
    await store.save({ provides });
    say("provides", `taken from ${source}:`);
  } else if (same(store.provides, provides)) {
    say("provides", `the same as in ${source} already:`);
  } else {
    say("provides", `upkeep has installed something since, and keeps what it knows (--force takes that of ${source}):`);
  }
  for (const [key, value] of Object.entries(store.provides ?? {}).sort()) say("", `${key}=${value}`);
}

async function adoptWith(plan: Plan): Promise<void> {
  const { device, from, say } = plan;
  const { config, paths, system, store, warnings } = device;
  if (store.update !== undefined) {
    throw new AgentError("update-in-progress", "upkeep itself is in the middle of an update; see 'upkeep status'");
  }
  // Every check comes before the first change.
  const old = await readOldProvides(system, from, plan.artifactInfo, `${paths.datastore}/upkeep-adopt`);
  const identities = await identityOf(plan, old);
  for (const [what, line] of identities) say(what, line);
  await takeKey(plan, old);
  await takeDeviceType(plan);
  await takeProvides(plan, old);
  say("configuration", `${paths.configFile} and ${paths.fallbackConfigFile} are read as they are`);
  for (const warning of warnings) say("", `differs: ${warning}`);
  say("server", config.servers.length === 0 ? "none is configured; see 'upkeep setup'" : config.servers.join(", "));
  const running = await runningServices(system);
  if (running.length > 0) {
    const names = running.join(" ");
    say(
      "attention",
      `the old client still runs (${names}); stop it before upkeep starts: systemctl disable --now ${names}`,
    );
  } else {
    say("next", `systemctl disable --now ${OLD_SERVICES.join(" ")}; systemctl enable --now upkeep`);
  }
  say("", "Nothing of the old client was changed.");
}

/** `upkeep adopt`: be the device that an installed Mender client was, without changing anything of that client. */
export async function adopt(options: AdoptOptions): Promise<ExitCode> {
  const context = await loadContext({ ...options, logLevel: options.logLevel ?? "error" }, { quiet: true });
  const passphrase = await readPassphrase(context.system, options.passphraseFile);
  const root = options.root === undefined ? undefined : resolve(options.root);
  await withDevice(context, "adopt", (device) =>
    adoptWith({
      device,
      from: options.from === undefined ? underRoot(root, OLD_DATASTORE) : resolve(options.from),
      artifactInfo: underRoot(root, ARTIFACT_INFO),
      force: options.force === true,
      passphrase,
      say: (what, line) => writeOutput(`${what.padEnd(COLUMN)}${line}\n`),
    }),
  );
  return EXIT.ok;
}
