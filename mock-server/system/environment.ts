import { existsSync } from "node:fs";
import { homedir, hostname, tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { wantsColours } from "@upkeep/shared/text";

/** Default data directory (XDG base directories). */
export function defaultDataDirectory(): string {
  const { XDG_DATA_HOME } = process.env;
  return resolve(XDG_DATA_HOME || resolve(homedir(), ".local/share"), "upkeep-server");
}

/** Directory of the user's configuration of a program (XDG base directories). */
export function configurationDirectory(program: string): string {
  const { XDG_CONFIG_HOME } = process.env;
  return resolve(XDG_CONFIG_HOME || resolve(homedir(), ".config"), program);
}

/** Directory of a program's data that can be made anew (XDG base directories). */
export function cacheDirectory(program: string): string {
  const { XDG_CACHE_HOME } = process.env;
  return resolve(XDG_CACHE_HOME || resolve(homedir(), ".cache"), program);
}

export function homeDirectory(): string {
  return homedir();
}

/** A file of this package, which may run bundled or from its sources. */
export function packageFile(path: string): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(resolve(directory, "package.json")) && directory !== dirname(directory)) {
    directory = dirname(directory);
  }
  return resolve(directory, path);
}

export function absolutePath(path: string): string {
  return resolve(path);
}

/** Where temporary files go: TMPDIR, or /tmp. */
export function temporaryDirectory(): string {
  return tmpdir();
}

/** Passphrase of a signing key. */
export function keyPassphrase(): string | undefined {
  return process.env.UPKEEP_KEY_PASSPHRASE || undefined;
}

/** The bytes of standard input. */
export function standardInput(): AsyncIterable<Uint8Array> {
  return process.stdin as AsyncIterable<Buffer>;
}

export function nodeVersion(): string {
  return process.version;
}

/** The host name of this machine. */
export function machineName(): string {
  return hostname();
}

/** Keys of a store that speaks S3, from the environment; `undefined` if they are not set. */
export function s3Credentials():
  | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
  | undefined {
  // Keeps the S3 client's warnings about Node.js versions out of the log.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return undefined;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
  };
}

/** An output of the program. */
export interface Output {
  readonly isTerminal: boolean;
  /** Whether to colour what is written; not if absent. */
  readonly colours?: boolean;
  write(text: string): void;
}

/** An output that takes bytes too. */
export interface BinaryOutput extends Output {
  /** Resolves when they have been taken. */
  writeBytes(data: Uint8Array): Promise<void>;
}

/** Ignores EPIPE: the program goes on when the reader of its output has gone. */
function outliveReader(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

outliveReader(process.stdout);
outliveReader(process.stderr);

function facts(stream: NodeJS.WriteStream): Pick<Output, "isTerminal" | "colours"> {
  const isTerminal = stream.isTTY === true;
  return { isTerminal, colours: wantsColours(process.env, isTerminal) };
}

/** Width of the terminal of standard output and standard error in columns, at this moment; `undefined` if it is none. */
export function terminalColumns(output: "stdout" | "stderr"): number | undefined {
  const { isTTY, columns } = process[output];
  return isTTY ? columns : undefined;
}

/** True if the terminal can move its cursor. */
export function canMoveCursor(): boolean {
  return process.stderr.isTTY === true && process.env.TERM !== "dumb";
}

export const standardOutput: BinaryOutput = {
  ...facts(process.stdout),
  write: (text) => {
    process.stdout.write(text);
  },
  writeBytes: (data) =>
    new Promise((resolve, reject) => {
      process.stdout.write(data, (error) => (error ? reject(error) : resolve()));
    }),
};

/** Batches the writes of one event-loop turn: a busy server writes many lines with one system call. */
function gathering(stream: NodeJS.WriteStream): Output {
  let gathered = "";
  const flush = (): void => {
    if (gathered === "") return;
    const text = gathered;
    gathered = "";
    stream.write(text);
  };
  process.on("exit", flush);
  return {
    ...facts(stream),
    write: (text) => {
      if (gathered === "") setImmediate(flush);
      gathered += text;
    },
  };
}

export const standardError: Output = gathering(process.stderr);

/** Standard error that is written at once: beside standard output on a terminal, the order is kept. */
export const promptStandardError: Output = {
  ...facts(process.stderr),
  write: (text) => {
    process.stderr.write(text);
  },
};

/** The status with which the program ends once nothing is left to do. */
export function setExitStatus(status: number): void {
  process.exitCode = status;
}

/** End the program at once. */
export function exitNow(status: number): never {
  process.exit(status);
}
