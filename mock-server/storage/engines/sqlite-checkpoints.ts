import * as modules from "node:module";
import type { Logger } from "@upkeep/shared/logging";
import type { Database } from "better-sqlite3";
import type { Workers, WorkerThread } from "../../system/worker-ports.ts";

/** Changed rows per checkpoint; each transaction counts as some rows. */
const EVERY_ROWS = 2000;
const ROWS_PER_TRANSACTION = 10;
/** When the log holds this many pages, commits wait until it restarts. */
const PAGES_MAX = 16_384;
/** SQLite's own automatic checkpoint, in pages: the fallback. */
const OWN_CHECKPOINT_PAGES = 1000;

/** Passive: it neither waits for readers and writers nor blocks them. */
const PROGRAM = `
module.exports = ({ library, path }) => {
  const Database = require(library);
  const sqlite = new Database(path);
  sqlite.pragma("synchronous = NORMAL");
  return (question) => {
    if (question === "checkpoint") return sqlite.pragma("wal_checkpoint(PASSIVE)")[0];
    sqlite.close();
  };
};`;

/** The result of a checkpoint, in pages. */
interface Result {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

/**
 * Checkpoints the write-ahead log in a thread, because syncing the database takes long. The log restarts with the
 * first commit after a complete checkpoint.
 */
export class Checkpoints {
  readonly #sqlite: Database;
  readonly #start: () => WorkerThread;
  readonly #logger: Pick<Logger, "error"> | undefined;
  #assistant: WorkerThread | undefined;
  #rows = 0;
  #left = 0;
  #running: Promise<void> | undefined;
  #failed = false;
  #closing = false;

  constructor(sqlite: Database, path: string, workers: Workers, logger?: Pick<Logger, "error">) {
    this.#sqlite = sqlite;
    this.#logger = logger;
    sqlite.pragma("wal_autocheckpoint = 0");
    const library = modules.createRequire(import.meta.url).resolve("better-sqlite3");
    this.#start = () => workers.start(PROGRAM, { library, path });
  }

  /** Counts the rows that a transaction changed. */
  committed(rows: number): void {
    this.#rows += rows + ROWS_PER_TRANSACTION;
    this.#beginIfDue();
  }

  #beginIfDue(): void {
    if (this.#rows >= EVERY_ROWS && this.#running === undefined && !this.#closing) this.#begin();
  }

  /** Resolves when the log has room. Call it before a commit; no other commit may come between. */
  async room(): Promise<void> {
    if (this.#left < PAGES_MAX || this.#failed) return;
    await this.#running;
    // Covers commits made during the last checkpoint. A reader of an older snapshot may still limit it.
    this.#begin();
    await this.#running;
  }

  #begin(): void {
    if (this.#failed) return;
    this.#rows = 0;
    this.#running = this.#checkpoint().finally(() => {
      this.#running = undefined;
      this.#beginIfDue();
    });
  }

  async #checkpoint(): Promise<void> {
    try {
      this.#assistant ??= this.#start();
      const { log, checkpointed } = (await this.#assistant.ask("checkpoint")) as Result;
      this.#left = log === checkpointed ? 0 : log;
    } catch (error) {
      this.#logger?.error("a checkpoint failed; SQLite's automatic checkpoint takes over", { error });
      this.#failed = true;
      this.#left = 0;
      this.#sqlite.pragma(`wal_autocheckpoint = ${OWN_CHECKPOINT_PAGES}`);
    }
  }

  /** Call it before the database is closed. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#running;
    if (this.#assistant === undefined) return;
    if (!this.#failed) await this.#assistant.ask("close");
    await this.#assistant.end();
  }
}
