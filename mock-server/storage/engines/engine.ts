import type { Kysely } from "kysely";
import type { Schema } from "../schema.ts";

/** Something that is done with the records, all or nothing. It may be done again if the engine asks for it. */
export type Work<T> = (db: Kysely<Schema>) => Promise<T>;

/** A database that keeps the records. */
export interface Engine {
  /**
   * Bring the tables up to date, before anything else is done.
   * @param work Gets the name space that holds the tables, where a database has several.
   */
  migrate<T>(work: (db: Kysely<Schema>, tableSchema: string | undefined) => Promise<T>): Promise<T>;
  /** Read and write, one after the other in all processes that share the database. Durable when it resolves. */
  write<T>(work: Work<T>): Promise<T>;
  /** Read: all statements see the same state, of which nothing can be lost any more when it resolves. */
  read<T>(work: Work<T>): Promise<T>;
  /** As `read`, for work that is one statement: it needs no transaction to see one state. */
  glance<T>(work: Work<T>): Promise<T>;
  /**
   * As `read`, without waiting. `look` uses only what answers at once.
   * @returns `undefined`: it must be waited for, or the engine never answers at once.
   */
  peek<T extends object>(look: (db: Kysely<Schema>) => T | undefined): { readonly seen: T | undefined } | undefined;
  /** Waits for what is under way, and for what waits for it. */
  close(): Promise<void>;
}
