import { collectText, type HttpMethod, type System } from "@upkeep/shared/system";
import { invalid } from "../../errors.ts";
import { type Child, startChild } from "../../system/children.ts";
import { isConnectionError } from "./connection-errors.ts";

const TEXT_BYTES_MAX = 64 * 1024 * 1024;
const IDLE_MS = 120_000;
const CONTROL = "/api/test/v1";
const LINES_KEPT = 200;

/** A program of the run failed for a reason outside the scenario. */
export class StageError extends Error {
  override readonly name = "StageError";
}

export interface ServerProcessOptions {
  readonly system: System;
  /** Command line of `upkeep-server`. */
  readonly program: readonly [command: string, ...args: string[]];
  readonly directory: string;
  readonly tokenLifeMs: number | undefined;
  readonly linkLifeMs: number | undefined;
  readonly adaptive: boolean;
}

/** The server as a process, with `--test-controls`. */
export class ServerProcess {
  readonly #options: ServerProcessOptions;
  #child: Child | undefined;
  #changes = 0;
  #url = "";
  /** Host and port, kept across restarts. */
  #listen = "127.0.0.1:0";
  readonly #lines: string[] = [];

  private constructor(options: ServerProcessOptions) {
    this.#options = options;
  }

  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    await server.#start();
    return server;
  }

  get url(): string {
    return this.#url;
  }

  get up(): boolean {
    return this.#child !== undefined;
  }

  /** A kill or a start is under way. */
  get changes(): boolean {
    return this.#changes > 0;
  }

  /** The last lines of its log. */
  get log(): string {
    return this.#lines.join("\n");
  }

  /** Kills the server with SIGKILL. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    child?.killAll();
    await this.#change(child?.ended);
  }

  /** Starts the server again at the same address. */
  async restart(): Promise<void> {
    if (this.#child === undefined) await this.#change(this.#start());
  }

  async #change(work: Promise<unknown> | undefined): Promise<void> {
    this.#changes++;
    try {
      await work;
    } finally {
      this.#changes--;
    }
  }

  /**
   * Awaits an exchange with the server. @returns `undefined` if the server was down, or was killed meanwhile.
   * @throws The error of the exchange, if the server runs.
   */
  async unlessDown<T>(exchange: () => Promise<T>): Promise<T | undefined> {
    const child = this.#child;
    if (child === undefined) return undefined;
    try {
      return await exchange();
    } catch (error) {
      if (this.#child !== child && isConnectionError(error)) return undefined;
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { program, directory, tokenLifeMs, linkLifeMs, adaptive } = this.#options;
    const [command, ...before] = program;
    const seconds = (ms: number): string => `${Math.max(1, Math.round(ms / 1000))}s`;
    let ready: (line: string) => void = () => undefined;
    const line = new Promise<string>((resolve) => {
      ready = resolve;
    });
    const child = await startChild({
      command,
      args: [
        ...before,
        ...["serve", "--data", directory, "--listen", this.#listen, "--json", "--log-format", "json"],
        ...["--test-controls", "--insecure-no-auth"],
        ...(tokenLifeMs === undefined ? [] : ["--device-token-life", seconds(tokenLifeMs)]),
        ...(adaptive ? [] : ["--no-adaptive"]),
        ...(linkLifeMs === undefined ? [] : ["--download-link-life", seconds(linkLifeMs)]),
      ],
      onOutput: (text) => ready(text),
      onError: (text) => this.#keep(text),
    });
    const gone = child.ended.then((how): string => {
      throw new StageError(`the server ended at once (${how}):\n${this.log}`);
    });
    gone.catch(() => undefined);
    const { url } = JSON.parse(await Promise.race([line, gone])) as { url: string };
    this.#child = child;
    this.#url = url;
    this.#listen = new URL(url).host;
  }

  #keep(text: string): void {
    this.#lines.push(text);
    if (this.#lines.length > LINES_KEPT) this.#lines.shift();
  }

  /** The control API: the server's clock and its tokens. */
  control(method: HttpMethod, path: string, body?: unknown): Promise<unknown> {
    return this.ask(method, CONTROL + path, body);
  }

  /** @throws DomainError if the server refuses; StageError for a 5xx answer; SystemError without a connection. */
  async ask(method: HttpMethod, path: string, body?: unknown): Promise<unknown> {
    const { text } = await this.answer(method, path, body);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** {@link ask} for a POST. @returns The id in the answer's Location. */
  async create(path: string, body: unknown): Promise<string> {
    const { location } = await this.answer("POST", path, body);
    return location.split("/").at(-1) ?? "";
  }

  async answer(
    method: HttpMethod,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly text: string; readonly location: string }> {
    const raw = body instanceof Uint8Array;
    const answer = await this.#options.system.network.request({
      method,
      url: this.#url + path,
      headers: { ...(body === undefined || raw ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
      idleTimeoutMs: IDLE_MS,
    });
    const text = await collectText(answer.body, TEXT_BYTES_MAX);
    const { status } = answer;
    const told = `${method} ${path}: the server answered ${status}: ${text}`;
    if (status >= 500) throw new StageError(told);
    if (status >= 300) throw invalid(told);
    return { text, location: String(answer.headers.location ?? "") };
  }
}
