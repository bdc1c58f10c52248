import { isSystemError, readTextFile, type System, type TlsOptions } from "@upkeep/shared/system";
import { absolutePath } from "../system/environment.ts";
import { environmentVariable } from "../system/usage.ts";
import { CommandError } from "./failure.ts";

const FILE_BYTES_MAX = 1024 * 1024;

/** Options for the connection to a server and its login. */
export const SERVER_OPTIONS = {
  trust: {
    type: "string",
    describe: "PEM file with a certificate to trust, beside those that Node knows",
    requiresArg: true,
  },
  insecure: { type: "boolean", describe: "Accept any certificate", default: false },
} as const;

export const MANAGEMENT_OPTIONS = {
  user: {
    type: "string",
    describe: "E-mail address of a user who may manage devices; the password comes from UPKEEP_PASSWORD",
    requiresArg: true,
  },
  "password-file": {
    type: "string",
    describe: "File with the user's password, in place of UPKEEP_PASSWORD",
    requiresArg: true,
  },
} as const;

async function content(system: System, option: string, path: string): Promise<string> {
  try {
    const text = await readTextFile(system.files, absolutePath(path), FILE_BYTES_MAX);
    if (text !== undefined) return text;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new CommandError(`--${option} ${path}: cannot be read: ${error.message}`);
  }
  throw new CommandError(`--${option} ${path}: there is no such file`);
}

/** `--trust` and `--insecure`. @throws CommandError */
export async function tlsOptionsOf(system: System, args: Readonly<Record<string, unknown>>): Promise<TlsOptions> {
  return {
    ...(typeof args.trust === "string" ? { trusted: await content(system, "trust", args.trust) } : {}),
    ...(args.insecure === true ? { skipVerify: true } : {}),
  };
}

/**
 * The login: `--user` with a password, or a personal access token in UPKEEP_TOKEN.
 * @returns `undefined` without any of them.
 * @throws CommandError
 */
export async function credentialsOf(
  system: System,
  args: Readonly<Record<string, unknown>>,
): Promise<{ email: string; password: string } | { token: string } | undefined> {
  const { user, "password-file": file } = args;
  if (typeof user !== "string") {
    if (file !== undefined) throw new CommandError("--password-file needs --user");
    const token = environmentVariable("UPKEEP_TOKEN");
    return token === undefined ? undefined : { token };
  }
  const password =
    typeof file === "string"
      ? (await content(system, "password-file", file)).replace(/\r?\n$/, "")
      : environmentVariable("UPKEEP_PASSWORD");
  if (password === undefined || password === "") {
    throw new CommandError("--user needs a password: in the variable UPKEEP_PASSWORD, or with --password-file");
  }
  return { email: user, password };
}

/** A server's URL without a slash at the end. @throws CommandError that names the option. */
export function parseServerUrl(option: string, value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.search === "" &&
    url.hash === "" &&
    url.username === ""
  ) {
    return (url.origin + url.pathname).replace(/\/+$/, "");
  }
  throw new CommandError(`--${option} ${JSON.stringify(value)}: must be a URL such as https://updates.example.com`);
}
