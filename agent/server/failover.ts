import type { Clock } from "@upkeep/shared/system";

/**
 * The configured servers, and which of them to try first. One that failed goes behind the others for a while;
 * then it has its place back. Decides only; sends no requests.
 */
export class Servers {
  readonly #urls: readonly string[];
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #avoidMs: number;
  /** Until when, in milliseconds of monotonic time, a server that failed goes behind the others. */
  readonly #avoidedUntil = new Map<string, number>();

  /** @param urls In order of preference, without a slash at the end. */
  constructor(urls: readonly string[], clock: Pick<Clock, "monotonic">, avoidMs: number) {
    this.#urls = urls;
    this.#clock = clock;
    this.#avoidMs = avoidMs;
  }

  get count(): number {
    return this.#urls.length;
  }

  /** All servers, those that did not fail lately first, else in order of preference. */
  inOrder(): string[] {
    const avoided = (url: string): number => Number(this.avoids(url));
    return [...this.#urls].sort((a, b) => avoided(a) - avoided(b));
  }

  avoids(url: string): boolean {
    return (this.#avoidedUntil.get(url) ?? Number.NEGATIVE_INFINITY) > this.#clock.monotonic();
  }

  /** True while any server is avoided: what another one does not know may be known there. */
  get impaired(): boolean {
    return this.#urls.some((url) => this.avoids(url));
  }

  failed(url: string): void {
    this.#avoidedUntil.set(url, this.#clock.monotonic() + this.#avoidMs);
  }

  worked(url: string): void {
    this.#avoidedUntil.delete(url);
  }
}
