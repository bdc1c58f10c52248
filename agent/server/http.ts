import {
  collectText,
  type HttpRequest,
  type HttpResponse,
  isSystemError,
  type System,
  type TlsOptions,
} from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { connectionFault } from "./faults.ts";

const ANSWER_BYTES_MAX = 1024 * 1024;

export interface HttpSettings {
  readonly tls: TlsOptions;
  readonly connectionIdleMs: number;
  /** Of this program, such as `0.1.0`. */
  readonly version: string;
}

export type HttpSystem = Pick<System, "clock" | "network">;

export type Question = Pick<HttpRequest, "method" | "url" | "body" | "signal"> & {
  readonly headers?: Readonly<Record<string, string>>;
  /** What it is about, for messages: `polling for a deployment`. */
  readonly what: string;
};

/** Requests with the settings of this device; faults of the connection become AgentErrors. */
export class HttpClient {
  readonly #system: HttpSystem;
  readonly #settings: HttpSettings;

  constructor(system: HttpSystem, settings: HttpSettings) {
    this.#system = system;
    this.#settings = settings;
  }

  /** Milliseconds since the Unix epoch. */
  now(): number {
    return this.#system.clock.now();
  }

  async ask(question: Question): Promise<HttpResponse> {
    const { what, headers = {}, signal, body, ...rest } = question;
    const { tls, connectionIdleMs, version } = this.#settings;
    return await this.#translate(question, () =>
      this.#system.network.request({
        ...rest,
        headers: { "user-agent": `Upkeep/${version}`, ...headers },
        tls,
        idleTimeoutMs: connectionIdleMs,
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      }),
    );
  }

  /** The text of a good answer. */
  async text(answer: HttpResponse, question: Question): Promise<string> {
    try {
      return await this.#translate(question, () => collectText(answer.body, ANSWER_BYTES_MAX));
    } finally {
      answer.cancel();
    }
  }

  fault(error: unknown, question: Pick<Question, "what" | "url">): unknown {
    return isSystemError(error) ? connectionFault(error, question.what, question.url, this.now()) : error;
  }

  async #translate<T>(question: Question, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw this.fault(error, question);
    }
  }
}

/** The JSON in an answer's text. */
export function parseAnswer(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const shown = JSON.stringify(text.slice(0, 100));
    throw new AgentError("answer-malformed", `${what}: the server's answer is not JSON: ${shown}`, {
      retryable: true,
      cause: error,
    });
  }
}
