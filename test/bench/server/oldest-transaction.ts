import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";

const EVERY_MS = 50;

/** Watches the transactions of all servers of a database. @returns A function that ends it, and tells the age of the oldest in milliseconds. */
export async function watchTransactions(url: string): Promise<() => Promise<number>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  let isOver = false;
  let oldestMs = 0;
  const watching = (async () => {
    while (!isOver) {
      const { rows } = await client.query<{ ms: number | null }>(
        `select (extract(epoch from max(clock_timestamp() - xact_start)) * 1000)::float8 as ms from pg_stat_activity
         where application_name = 'upkeep-server' and state <> 'idle'`,
      );
      oldestMs = Math.max(oldestMs, rows[0]?.ms ?? 0);
      await sleep(EVERY_MS);
    }
    await client.end();
  })();
  return async () => {
    isOver = true;
    await watching;
    return oldestMs;
  };
}
