import { collectText, type HttpMethod, isSystemError, type System } from "@upkeep/shared/system";
import * as z from "zod";
import { CommandError } from "../failure.ts";

const PATH = "/api/test/v1";
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const IDLE_MS_MAX = 120_000;

const Refusal = z.object({ error: z.string() });

/** Client of the control API of a running server. */
export class ControlClient {
  readonly #network: System["network"];
  readonly #server: string;
  readonly #trusted: string | undefined;

  /** @param trusted PEM of a certificate that the server may show. */
  constructor(network: System["network"], server: string, trusted: string | undefined) {
    this.#network = network;
    this.#server = server;
    this.#trusted = trusted;
  }

  /**
   * @param path Below the API's own path.
   * @returns The answer's JSON; `undefined` if it has none.
   * @throws CommandError with the refusal of the server, or if no server answers.
   */
  async call(method: HttpMethod, path: string, body?: unknown): Promise<unknown> {
    const { status, text } = await this.#ask(method, path, body);
    const value = text === "" ? undefined : jsonOf(text);
    if (status >= 200 && status < 300) return value;
    const refusal = Refusal.safeParse(value);
    throw new CommandError(`${this.#server} answers ${status}: ${refusal.success ? refusal.data.error : text}`);
  }

  async #ask(method: HttpMethod, path: string, body: unknown): Promise<{ status: number; text: string }> {
    const trusted = this.#trusted;
    try {
      const answer = await this.#network.request({
        method,
        url: `${this.#server}${PATH}${path}`,
        ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
        ...(trusted === undefined ? {} : { tls: { trusted } }),
        idleTimeoutMs: IDLE_MS_MAX,
      });
      return { status: answer.status, text: await collectText(answer.body, ANSWER_BYTES_MAX) };
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new CommandError(`--server ${this.#server}: ${error.message}`);
    }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
