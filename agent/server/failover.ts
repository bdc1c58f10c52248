import type { Clock } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

/**
 * The configured servers, and which of them to use first. A server that failed comes last for a while, and then has its
 * place again. It sends no requests.
 */
export class Servers {
  readonly #urls: readonly string[];
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #avoidMs: number;
  /** Milliseconds of monotonic time until which a server that failed comes last. Absent until one failed. */
  #avoidedUntil: Map<string, number> | undefined;

  /** @param urls In order of preference, without a slash at the end. */
  constructor(urls: readonly string[], clock: Pick<Clock, "monotonic">, avoidMs: number) {
    this.#urls = urls;
    this.#clock = clock;
    this.#avoidMs = avoidMs;
  }

  get count(): number {
    return this.#urls.length;
  }

  /** All servers in order of preference, except that avoided ones come last. */
  inOrder(): readonly string[] {
    if (this.#urls.length === 1) return this.#urls;
    const avoided = (url: string): number => Number(this.avoids(url));
    return [...this.#urls].sort((a, b) => avoided(a) - avoided(b));
  }

  avoids(url: string): boolean {
    return (this.#avoidedUntil?.get(url) ?? Number.NEGATIVE_INFINITY) > this.#clock.monotonic();
  }

  /** True while any server is avoided: it may know what the others do not know. */
  get impaired(): boolean {
    return this.#urls.some((url) => this.avoids(url));
  }

  failed(url: string): void {
    this.#avoidedUntil ??= new Map();
    this.#avoidedUntil.set(url, this.#clock.monotonic() + this.#avoidMs);
  }

  worked(url: string): void {
    this.#avoidedUntil?.delete(url);
  }
}

/** One error for those of all servers that were asked, which is retryable if one of them is. */
export function joined(failures: readonly AgentError[]): AgentError {
  const [first, ...others] = failures;
  if (first === undefined) return new AgentError("no-server", "no server is configured");
  if (others.length === 0) return first;
  const waits = failures.map((failure) => failure.retryAfterMs ?? Number.POSITIVE_INFINITY);
  const waitMs = Math.min(...waits);
  return new AgentError(first.code, failures.map(({ message }) => message).join("; "), {
    retryable: failures.some(({ retryable }) => retryable),
    ...(Number.isFinite(waitMs) ? { retryAfterMs: waitMs } : {}),
    cause: first,
  });
}
