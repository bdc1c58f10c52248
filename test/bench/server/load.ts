/**
 * Sends requests over kept-open connections, one at a time on each, as many as are answered; prints what came
 * of it. A program of its own, so that it does not take time from what it measures.
 * Reads one JSON object from standard input; writes a line once it counts, and at the end one JSON object, to
 * standard output. SIGTERM is an end before the time.
 */
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** Whole requests, sent in turn, each by one connection at a time. */
  readonly requests: readonly string[];
  /** Send each request once, instead of for so many seconds. */
  readonly once?: boolean;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly answers: number;
  /** How many answers had it. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A program that has just begun is slow: what it asks before that is not counted, in milliseconds. */
const UNCOUNTED_MS = 500;
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

async function run(order: LoadOrder): Promise<LoadResult> {
  const { port, connections, seconds, requests, once = false } = order;
  const times: number[] = [];
  const statuses: Record<string, number> = {};
  let answers = 0;
  let next = 0;
  const start = performance.now() + (once ? 0 : UNCOUNTED_MS);
  let end = start + seconds * 1000;
  process.once("SIGTERM", () => {
    end = 0;
  });
  setTimeout(() => process.stdout.write("begun\n"), Math.max(0, start - performance.now()));
  const loop = async (): Promise<void> => {
    const line = new Line(port);
    while (once ? next < requests.length : performance.now() < end) {
      const request = requests[next % requests.length] ?? "";
      next += 1;
      const before = performance.now();
      const status = await line.ask(request);
      answers += 1;
      if (before >= start) times.push(performance.now() - before);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    line.close();
  };
  await Promise.all(Array.from({ length: connections }, loop));
  const took = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  const quantile = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return {
    perSecond: times.length / took,
    answers,
    statuses,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: quantile(1),
  };
}

process.stdout.write(JSON.stringify(await run(JSON.parse(await text(process.stdin)) as LoadOrder)));
