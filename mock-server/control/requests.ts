import type { RequestKind } from "../faults/language/request-kinds.ts";

/** One request of a device, as it was answered. */
export interface SeenRequest {
  /** From 1, in the order in which they came. */
  readonly number: number;
  /** What the server's clock showed, in milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly kind: RequestKind;
  readonly method: string;
  /** Without the query: it may hold what lets one act as a device. */
  readonly path: string;
  /** The device's id, where the request tells it. */
  readonly device?: string;
  /** What the device reported, of a status. */
  readonly reported?: string;
  /** The status of the answer; absent: the connection broke before. */
  readonly status?: number;
}

/** So many are remembered; the oldest give way. */
const REMEMBERED_MAX = 10_000;

/** What devices asked, for tests to look at. */
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

  /** In the order in which they came. */
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

  /** Numbers go on. */
  forget(): void {
    this.#seen = [];
  }

  /** Call `tell` for each request that comes. @returns What stops it. */
  watch(tell: () => void): () => void {
    this.#watchers.add(tell);
    return () => this.#watchers.delete(tell);
  }
}

export interface RequestFilter {
  /** A device's id. */
  readonly device?: string;
  readonly kind?: RequestKind;
  /** Those behind this number. */
  readonly after?: number;
}
