import { spawn } from "node:child_process";
import { throughDoor } from "./faults.ts";

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

export interface ProgramSpec {
  /** A name to be found in PATH. */
  readonly command: string;
  readonly args: readonly string[];
  /** Added to this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a program ended, and what it wrote: of each output the first 16 MiB. */
export interface ProgramEnd {
  /** `code 0`, `SIGTERM`. */
  readonly how: string;
  readonly out: Buffer;
  readonly error: string;
}

/**
 * Runs a program to its end, its standard input empty. SIGINT and SIGTERM are passed on to it.
 * @throws SystemError if it cannot be started.
 */
export async function runToEnd({ command, args, environment }: ProgramSpec): Promise<ProgramEnd> {
  const child = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<string>((resolve) => {
    child.once("close", (code, signal) => resolve(signal ?? `code ${code}`));
  });
  await throughDoor(
    new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    }),
  );
  child.on("error", () => undefined);
  const [out, error] = [kept(child.stdout), kept(child.stderr)];
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, pass);
  try {
    const how = await ended;
    return { how, out: Buffer.concat(out), error: Buffer.concat(error).toString("utf8") };
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}

function kept(output: NodeJS.ReadableStream): Buffer[] {
  const pieces: Buffer[] = [];
  let bytes = 0;
  output.on("data", (data: Buffer) => {
    bytes += data.length;
    if (bytes <= OUTPUT_BYTES_MAX) pieces.push(data);
  });
  return pieces;
}
