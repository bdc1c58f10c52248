import { given } from "@upkeep/shared/given";
import {
  collectText,
  type HttpBody,
  type HttpRequest,
  type HttpResponse,
  isSystemError,
  LinkedController,
  type System,
  type TlsOptions,
} from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { header } from "./answers.ts";
import { connectionFault } from "./faults.ts";
import { type Proxies, proxyFor } from "./proxies.ts";
import { isRedirect, keepsSecrets, redirectTarget } from "./redirects.ts";

const ANSWER_BYTES_MAX = 1024 * 1024;

/** Headers that are for the server that was asked, and not for another one that it sends on to. */
const FOR_ONE_SERVER = new Set(["authorization", "x-men-signature"]);

export interface HttpSettings {
  readonly tls: TlsOptions;
  readonly proxies: Proxies;
  /** Hosts that a server may send on to, besides itself. */
  readonly redirectHosts: readonly string[];
  /** URLs of the configured servers: one of them may send on to another one with token and body. */
  readonly servers: readonly string[];
  readonly connectionIdleMs: number;
  /** How long an exchange may take in all, however it moves; of a download, until its content begins. */
  readonly answerMsMax: number;
  /** Of this program, such as `0.1.0`. */
  readonly version: string;
}

export type HttpSystem = Pick<System, "clock" | "timers" | "network">;

export type Question = Pick<HttpRequest, "method" | "url" | "body" | "signal"> & {
  readonly headers?: Readonly<Record<string, string>>;
  /** What it is about, for messages: `polling for a deployment`. */
  readonly what: string;
  /** The answer's body is long, and may take as long as it moves. */
  readonly streams?: true;
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

  /** The answer, after redirects. Read its body, or cancel it: until then the exchange is under way. */
  async ask(question: Question): Promise<HttpResponse> {
    const { signal, endLimit, end } = this.#limited(question);
    try {
      const answer = await this.#follow(question, signal);
      demandNoPage(answer, question);
      if (question.streams) endLimit();
      const cancel = (): void => {
        end();
        answer.cancel();
      };
      return { ...answer, body: endingWith(answer.body, end), cancel };
    } catch (error) {
      end();
      throw error;
    }
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

  /**
   * A signal that is aborted with the question's own one and when the exchange takes too long, what ends that limit,
   * and what ends both: to be called when the exchange is over, or the caller's signal keeps it for ever.
   */
  #limited({ signal, what, url }: Question): { signal: AbortSignal; endLimit: () => void; end: () => void } {
    const { answerMsMax } = this.#settings;
    const limit = new LinkedController(signal);
    const timer = this.#system.timers.after(answerMsMax, () => {
      const host = URL.canParse(url) ? new URL(url).host : url;
      const message = `${what}: ${host}: the exchange was not over after ${answerMsMax / 1000} s`;
      limit.abort(new AgentError("connection-stalled", message, { retryable: true }));
    });
    return {
      signal: limit.signal,
      endLimit: () => timer.cancel(),
      end: () => {
        timer.cancel();
        limit.release();
      },
    };
  }

  async #follow(question: Question, signal: AbortSignal): Promise<HttpResponse> {
    const { what, method, body } = question;
    const { tls, proxies, connectionIdleMs, redirectHosts, servers, version } = this.#settings;
    let headers: Readonly<Record<string, string>> = { "user-agent": `Upkeep/${version}`, ...question.headers };
    for (let url = question.url, made = 0; ; made++) {
      const proxy = proxyFor(proxies, url);
      const answer = await this.#translate({ what, url }, () =>
        this.#system.network.request({
          method,
          url,
          headers,
          tls,
          idleTimeoutMs: connectionIdleMs,
          signal,
          ...given({ proxy, body }),
        }),
      );
      if (!isRedirect(answer)) return answer;
      answer.cancel();
      const next = redirectTarget(answer, { url, method, what }, made, redirectHosts, servers);
      if (!keepsSecrets(url, next, servers)) {
        headers = Object.fromEntries(
          Object.entries(headers).filter(([name]) => !FOR_ONE_SERVER.has(name.toLowerCase())),
        );
      }
      url = next;
    }
  }

  async #translate<T>(question: Pick<Question, "what" | "url">, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw this.fault(error, question);
    }
  }
}

/**
 * A good answer that is an HTML page comes from an intermediary, such as a captive portal that wants a login first;
 * whatever was asked or told has not reached the server.
 */
function demandNoPage(answer: HttpResponse, { what, url }: Question): void {
  const { status, headers } = answer;
  if (status >= 300 || !/^text\/html\b/i.test(header(headers, "content-type") ?? "")) return;
  answer.cancel();
  throw new AgentError(
    "answer-malformed",
    `${what}: ${new URL(url).host} answered with a page: does a portal stand between?`,
    {
      retryable: true,
    },
  );
}

/** `body`, that calls `end` when it has ended, however it did. */
function endingWith(body: HttpBody, end: () => void): HttpBody {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* body;
      } finally {
        end();
      }
    },
  };
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
