/**
 * Downloads one file, by so many at once; prints how long it took. A program of its own, as the load is.
 * Reads one JSON object from standard input. With `slowly`, each takes a little now and then until the program
 * is ended, and the line is printed once all have begun.
 */
import { get } from "node:http";
import { text } from "node:stream/consumers";

export interface DownloadOrder {
  readonly url: string;
  readonly atOnce: number;
  readonly slowly: boolean;
}

export interface DownloadResult {
  readonly bytes: number;
  readonly seconds: number;
}

const SLOW_BYTES = 65_536;
const SLOW_MS = 1000;

const order = JSON.parse(await text(process.stdin)) as DownloadOrder;

/** Resolves with the number of bytes; a slow one as soon as it has begun. */
function download(): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(order.url, { agent: false }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${order.url}: ${response.statusCode}`));
      response.on("error", reject);
      if (order.slowly) {
        setInterval(() => response.read(SLOW_BYTES), SLOW_MS);
        response.once("readable", () => resolve(0));
        return;
      }
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on("end", () => resolve(bytes));
    });
    request.on("error", reject);
  });
}

const start = performance.now();
const sizes = await Promise.all(Array.from({ length: order.atOnce }, download));
const result: DownloadResult = {
  bytes: sizes.reduce((sum, size) => sum + size, 0),
  seconds: (performance.now() - start) / 1000,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
