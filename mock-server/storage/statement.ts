import type { CompiledQuery, Kysely } from "kysely";
import { connected } from "./engines/dialect.ts";
import { settled } from "./engines/settled.ts";
import type { Schema } from "./schema.ts";

/** A statement that is not sent yet. @typeParam T Its result. */
export class Statement<T> {
  readonly #db: Kysely<Schema>;
  readonly #query: CompiledQuery;
  readonly #read: (rows: never[]) => T;

  /** @param read The result, from the rows. */
  constructor(db: Kysely<Schema>, query: CompiledQuery, read: (rows: never[]) => T) {
    this.#db = db;
    this.#query = query;
    this.#read = read;
  }

  /** The same statement with a result made of its result. */
  as<U>(read: (result: T) => U): Statement<U> {
    return new Statement(this.#db, this.#query, (rows) => read(this.#read(rows)));
  }

  /** Hands the statement to the connection before it returns. */
  async send(): Promise<T> {
    const { rows } = await connected(this.#db).over.executeQuery(this.#query);
    return this.#read(rows as never[]);
  }
}

/** The results of statements. */
type Results<T extends readonly unknown[]> = {
  -readonly [K in keyof T]: T[K] extends Statement<infer R> ? R : never;
};

/**
 * Sends statements at once, in order: one round trip to PostgreSQL instead of one each. Each sees what those before it
 * have written.
 * @throws The error of the first statement that failed, once all have settled: none is left running.
 */
export async function pipeline<const T extends readonly Statement<unknown>[]>(statements: T): Promise<Results<T>> {
  return (await settled(statements.map((statement) => statement.send()))) as Results<T>;
}
