import type { RequestKind } from "../faults/language/request-kinds.ts";

/** One request of a device, as it was answered. */
export interface SeenRequest {
  /** From 1, in order of arrival. */
  readonly number: number;
  /** What the server's clock showed, in milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly kind: RequestKind;
  readonly method: string;
  /** Without the query, which may hold secrets of a device. */
  readonly path: string;
  /** The device's id, where the request tells it. */
  readonly device?: string;
  /** The status that the device reported. */
  readonly reported?: string;
  /** The status of the answer; absent: the connection broke before. */
  readonly status?: number;
}

/** The number of requests that are kept; the oldest are dropped. */
const REMEMBERED_MAX = 10_000;

/** The requests of devices, kept for tests. */
export class SeenRequests {
  #seen: SeenRequest[] = [];
  #count = 0;
  readonly #watchers = new Set<() => void>();

  add(request: Omit<SeenRequest, "number">): void {
    this.#count += 1;
    this.#seen.push({ number: this.#count, ...request });
    if (this.#seen.length > 2 * REMEMBERED_MAX) this.#seen = this.#seen.slice(-REMEMBERED_MAX);
    for (const tell of [...this.#watchers]) tell();
  }

  /** In order of arrival. */
  list({ device, kind, after = 0 }: RequestFilter = {}): readonly SeenRequest[] {
    return this.#seen
      .slice(-REMEMBERED_MAX)
      .filter(
        (one) =>
          one.number > after &&
          (device === undefined || one.device === device) &&
          (kind === undefined || one.kind === kind),
      );
  }

  /** Forgets the requests; numbering continues. */
  forget(): void {
    this.#seen = [];
  }

  /** Calls `tell` on each new request. @returns Unsubscribes. */
  watch(tell: () => void): () => void {
    this.#watchers.add(tell);
    return () => this.#watchers.delete(tell);
  }
}

export interface RequestFilter {
  /** A device's id. */
  readonly device?: string;
  readonly kind?: RequestKind;
  /** Only requests with higher numbers. */
  readonly after?: number;
}
