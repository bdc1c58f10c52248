import { isSystemError, readTextFile, type System, type TlsOptions } from "@upkeep/shared/system";
import { absolutePath } from "../system/environment.ts";
import { environmentVariable } from "../system/usage.ts";
import type { GlobalOptions } from "./command.ts";
import { CtlError, usage } from "./failure.ts";
import { type Profile, type Profiles, readProfiles } from "./profiles.ts";

/** How to reach a server, and as whom. */
export interface Connection {
  readonly server: string;
  /** Absent: not logged in. */
  readonly token?: string;
  readonly tls: TlsOptions;
}

const FILE_BYTES_MAX = 1024 * 1024;

/** A server's URL without a slash at its end. @throws CtlError (usage) that says where it stands */
export function serverUrl(where: string, value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isPlain = url !== undefined && url.search === "" && url.hash === "" && url.username === "";
  if (isPlain && /^https?:$/.test(url.protocol)) return (url.origin + url.pathname).replace(/\/+$/, "");
  throw usage(`${where} ${JSON.stringify(value)}: must be a URL such as https://updates.example.com`);
}

/** The text of a file that an option names. @throws CtlError (usage) */
export async function contentOf({ files }: Pick<System, "files">, option: string, path: string): Promise<string> {
  try {
    const text = await readTextFile(files, absolutePath(path), FILE_BYTES_MAX);
    if (text !== undefined) return text;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw usage(`--${option} ${path}: cannot be read: ${error.message}`);
  }
  throw usage(`--${option} ${path}: there is no such file`);
}

/** `--ca` and `--insecure`, or what the profile has. */
export async function tlsOf(
  system: Pick<System, "files">,
  { ca, insecure }: Pick<GlobalOptions, "ca" | "insecure">,
  profile: Pick<Profile, "ca" | "insecure"> = {},
): Promise<TlsOptions> {
  const trusted = ca === undefined ? profile.ca : await contentOf(system, "ca", ca);
  return {
    ...(trusted === undefined ? {} : { trusted }),
    ...((insecure ?? profile.insecure) ? { skipVerify: true } : {}),
  };
}

/** The profile that the command line, else the environment, else the last `profile use` names. */
export function chosenProfile({ profile }: GlobalOptions, { current }: Profiles): string {
  return profile ?? environmentVariable("UPKEEP_PROFILE") ?? current;
}

/**
 * The server and the login: flags before variables before the profile. A profile's token goes to the profile's own
 * server alone.
 * @throws CtlError if no server is named, or a profile that is not there
 */
export async function connectionOf(system: System, options: GlobalOptions): Promise<Connection> {
  const profiles = await readProfiles(system);
  const name = chosenProfile(options, profiles);
  const profile = profiles.profiles.get(name);
  const isNamed = options.profile !== undefined || environmentVariable("UPKEEP_PROFILE") !== undefined;
  if (profile === undefined && isNamed) {
    throw usage(`there is no profile ${JSON.stringify(name)}; 'upkeepctl login --profile ${name}' makes it`);
  }
  const server = namedServer(options) ?? profile?.server;
  if (server === undefined) {
    throw new CtlError(
      "no server is known: 'upkeepctl login --server URL', or the variables UPKEEP_SERVER and UPKEEP_TOKEN",
    );
  }
  const own = profile?.server === server ? profile : undefined;
  const token = (await namedToken(system, options)) ?? own?.token;
  return { server, ...(token === undefined ? {} : { token }), tls: await tlsOf(system, options, own) };
}

/** The server that the command line or the environment names. */
export function namedServer({ server }: GlobalOptions): string | undefined {
  const variable = environmentVariable("UPKEEP_SERVER");
  if (server !== undefined) return serverUrl("--server", server);
  return variable === undefined ? undefined : serverUrl("UPKEEP_SERVER", variable);
}

/** The token that the command line or the environment has. */
export async function namedToken(
  system: Pick<System, "files">,
  { token, tokenValue }: GlobalOptions,
): Promise<string | undefined> {
  if (token !== undefined && tokenValue !== undefined) throw usage("--token and --token-value exclude each other");
  const text =
    token === undefined ? (tokenValue ?? environmentVariable("UPKEEP_TOKEN")) : await contentOf(system, "token", token);
  const trimmed = text?.trim();
  if (trimmed === undefined) return undefined;
  if (/^[\x21-\x7e]+$/.test(trimmed)) return trimmed;
  throw usage("the token must be one word, without blanks");
}
