/**
 * Sends requests over kept-open connections, one at a time on each, as many as are answered; prints what came
 * of it. A program of its own, so that it does not take time from what it measures.
 * Reads one JSON object from standard input; writes a line once it counts, and at the end one JSON object, to
 * standard output. SIGTERM is an end before the time.
 */
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";

export interface LoadTarget {
  readonly port: number;
  /** Whole requests, sent in turn, each by one connection at a time. */
  readonly requests: readonly string[];
}

export interface LoadOrder {
  readonly targets: readonly LoadTarget[];
  /** To each of them. */
  readonly connections: number;
  /** How long each of them is asked. */
  readonly seconds: number;
  /** Send each request once, instead of for so many seconds. */
  readonly once?: boolean;
}

/** What came of it, for one target. */
export interface LoadResult {
  readonly perSecond: number;
  readonly answers: number;
  /** How many answers had it. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A program that has just begun is slow: what it asks of each target before that is not counted, in milliseconds. */
const UNCOUNTED_MS = 500;
/**
 * How long one of several targets is asked before it is the next one's turn, in milliseconds: the machine is faster
 * at one second than at another, by more than what is to be found out.
 */
const TURN_MS = 100;
const HEAD_END = Buffer.from("\r\n\r\n");

/** One connection: the answers of its requests, each told by its status once it is complete. */
class Line {
  readonly #socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #told: (status: string) => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("error", (error) => this.#failed(error));
    this.#socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  ask(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#told = resolve;
      this.#failed = reject;
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const end = this.#buffer.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#buffer.toString("latin1", 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#buffer.length < end + 4 + length) return;
    this.#buffer = this.#buffer.subarray(end + 4 + length);
    this.#told(head.slice(9, 12));
  }
}

/** One target: what is asked of it, and what it answered. */
class Target {
  readonly #requests: readonly string[];
  readonly #lines: readonly Line[];
  readonly #statuses: Record<string, number> = {};
  readonly #timesMs: number[] = [];
  #next = 0;
  #answers = 0;
  #tookMs = 0;

  constructor({ port, requests }: LoadTarget, connections: number) {
    this.#requests = requests;
    this.#lines = Array.from({ length: connections }, () => new Line(port));
  }

  get hasAskedAll(): boolean {
    return this.#next >= this.#requests.length;
  }

  /** Ask until it is over, and wait for the last answer. @param counts Whether this is measured. */
  async ask(isOver: () => boolean, counts: boolean): Promise<void> {
    const start = performance.now();
    await Promise.all(
      this.#lines.map(async (line) => {
        while (!isOver()) {
          const request = this.#requests[this.#next % this.#requests.length] ?? "";
          this.#next += 1;
          const before = performance.now();
          const status = await line.ask(request);
          this.#answers += 1;
          this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
          if (counts) this.#timesMs.push(performance.now() - before);
        }
      }),
    );
    if (counts) this.#tookMs += performance.now() - start;
  }

  /** Close the connections. */
  end(): LoadResult {
    for (const line of this.#lines) line.close();
    const times = this.#timesMs.toSorted((a, b) => a - b);
    const quantile = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
    return {
      perSecond: times.length / (this.#tookMs / 1000),
      answers: this.#answers,
      statuses: this.#statuses,
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      maxMs: quantile(1),
    };
  }
}

async function run({ targets: asked, connections, seconds, once = false }: LoadOrder): Promise<LoadResult[]> {
  const targets = asked.map((one) => new Target(one, connections));
  let isStopped = false;
  process.once("SIGTERM", () => {
    isStopped = true;
  });
  const askInTurn = async (forMs: number, counts: boolean): Promise<void> => {
    const turnMs = targets.length === 1 ? forMs : TURN_MS;
    for (let askedMs = 0; askedMs < forMs && !isStopped; askedMs += turnMs) {
      for (const target of targets) {
        const end = performance.now() + turnMs;
        await target.ask(() => isStopped || performance.now() >= end, counts);
      }
    }
  };
  if (!once) await askInTurn(UNCOUNTED_MS, false);
  process.stdout.write("begun\n");
  if (once) for (const target of targets) await target.ask(() => target.hasAskedAll, true);
  else await askInTurn(seconds * 1000, true);
  return targets.map((target) => target.end());
}

process.stdout.write(JSON.stringify(await run(JSON.parse(await text(process.stdin)) as LoadOrder)));
