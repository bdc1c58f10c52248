import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const UPKEEPCTL = join(import.meta.dirname, "../../../mock-server/bin/upkeepctl.mjs");

/** How a command ended, and what it wrote. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a person at a terminal sees: both outputs, without carriage returns. */
export interface Seen {
  readonly code: number | null;
  readonly text: string;
}

/** A person who uses the built upkeepctl, with a home directory of its own. */
export class Operator {
  readonly home: string;
  readonly #environment: NodeJS.ProcessEnv;

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.home = mkdtempSync(join(tmpdir(), "upkeepctl-"));
    const { UPKEEP_SERVER: _, UPKEEP_TOKEN: __, XDG_CONFIG_HOME: ___, XDG_CACHE_HOME: ____, ...rest } = process.env;
    this.#environment = { ...rest, HOME: this.home, TERM: "xterm", ...environment };
  }

  /** Runs a command without a terminal. */
  async run(
    args: readonly string[],
    { environment = {}, directory = this.home }: { environment?: Record<string, string>; directory?: string } = {},
  ): Promise<Outcome> {
    const child = spawn(process.execPath, [UPKEEPCTL, ...args], {
      cwd: directory,
      env: { ...this.#environment, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [stdout, stderr]: [string[], string[]] = [[], []];
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout.push(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stdout: stdout.join(""), stderr: stderr.join("") };
  }

  /** Runs a command that must succeed. @returns Its standard output */
  async output(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0) throw new Error(`upkeepctl ${args.join(" ")}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.output(...args, "--json")) as T;
  }

  /**
   * Runs a command at a pseudo terminal of util-linux's script.
   * @param answer Called with all that was seen so far; what it returns is typed, once.
   */
  async terminal(
    columns: number,
    args: readonly string[],
    {
      environment = {},
      answer = () => undefined,
    }: {
      environment?: Record<string, string>;
      answer?: (seen: string) => string | undefined;
    } = {},
  ): Promise<Seen> {
    const words = [process.execPath, UPKEEPCTL, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    const command = `stty cols ${columns} rows 24 && exec ${words.join(" ")}`;
    const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
      cwd: this.home,
      env: { ...this.#environment, SHELL: "/bin/sh", ...environment },
      stdio: ["pipe", "pipe", "inherit"],
    });
    let seen = "";
    let answered = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      seen += text;
      const typed = answered ? undefined : answer(seen);
      if (typed === undefined) return;
      answered = true;
      child.stdin.write(typed);
    });
    const [code] = (await once(child, "close")) as [number | null];
    return { code, text: seen.replaceAll("\r", "") };
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences
const COLOURS = /\u001b\[\d+m/g;

export function withoutColours(text: string): string {
  return text.replace(COLOURS, "");
}
