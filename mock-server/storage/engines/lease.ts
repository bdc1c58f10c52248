import type { CompiledQuery, DatabaseConnection, Kysely, QueryResult } from "kysely";
import type { Schema } from "../schema.ts";
import {
  ConnectedRecords,
  type EngineDialect,
  isSync,
  SingleConnectionDriver,
  type SyncConnection,
} from "./dialect.ts";
import type { Work } from "./records-engine.ts";

/** Told each statement before it is sent. May throw. */
export type Observe = (query: CompiledQuery) => void;

const OVER = "the records of a transaction were used after its end";

/**
 * The right to use a connection for one transaction.
 *
 * INVARIANTS
 * - Every statement of the records goes through the lease, whether Kysely sends it or not.
 * - After its end, each statement fails: nothing is written into the next transaction, or outside of any.
 */
class Lease implements DatabaseConnection {
  readonly #connection: DatabaseConnection;
  readonly #observe: Observe | undefined;
  #open = true;
  #running = 0;

  constructor(connection: DatabaseConnection, observe?: Observe) {
    this.#connection = connection;
    this.#observe = observe;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    this.mustBeOpen();
    this.#observe?.(query);
    this.#running += 1;
    try {
      return await this.#connection.executeQuery<R>(query);
    } finally {
      this.#running -= 1;
    }
  }

  // biome-ignore lint/correctness/useYield: streaming is not supported
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("rows are not streamed");
  }

  protected mustBeOpen(): void {
    if (!this.#open) throw new Error(OVER);
  }

  /** @throws Error if the work has not awaited a statement. */
  mustBeIdle(): void {
    if (this.#running > 0) throw new Error("a transaction ended before its statements");
  }

  renew(): void {
    this.#open = true;
  }

  end(): void {
    this.#open = false;
  }
}

class SyncLease extends Lease implements SyncConnection {
  readonly #connection: SyncConnection;

  constructor(connection: SyncConnection) {
    super(connection);
    this.#connection = connection;
  }

  /** Statements complete before this returns: none can be left running. Not async: the answer need not be awaited twice. */
  override executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      this.mustBeOpen();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#connection.executeQuery<R>(query);
  }

  firstValueSync(sql: string, parameters: readonly unknown[]): unknown {
    this.mustBeOpen();
    return this.#connection.firstValueSync(sql, parameters);
  }
}

/** Records over a connection, leased to one piece of work after the other. */
export class LeasedRecords {
  readonly #connection: DatabaseConnection;
  readonly #dialect: EngineDialect;
  /** Synchronous work shares a lease: none of it outlasts the call. */
  #shared: readonly [Lease, Kysely<Schema>] | undefined;

  constructor(connection: DatabaseConnection, dialect: EngineDialect) {
    this.#connection = connection;
    this.#dialect = dialect;
  }

  /** Runs work with records that are good only for it. @throws Error also if a statement of it is still running. */
  async lend<T>(work: Work<T>, observe?: Observe): Promise<T> {
    const [lease, db] = this.#lease(observe);
    try {
      const result = await work(db);
      lease.mustBeIdle();
      return result;
    } finally {
      lease.end();
    }
  }

  /** As {@link lend}. All work gets the same records, which are good during the call. */
  lendSync<T>(work: (db: Kysely<Schema>) => T): T {
    this.#shared ??= this.#lease();
    const [lease, db] = this.#shared;
    lease.renew();
    try {
      return work(db);
    } finally {
      lease.end();
    }
  }

  #lease(observe?: Observe): readonly [Lease, Kysely<Schema>] {
    const lease = isSync(this.#connection) ? new SyncLease(this.#connection) : new Lease(this.#connection, observe);
    const { dialect, compiler } = this.#dialect;
    const props = {
      config: { dialect },
      dialect,
      driver: new SingleConnectionDriver(lease),
      executor: compiler.withConnectionProvider({ provideConnection: (use) => use(lease) }),
    };
    const db = new ConnectedRecords(props, lease, this.#dialect);
    return [lease, db];
  }
}
