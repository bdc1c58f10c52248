import {
  CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  Kysely,
  type KyselyConfig,
  type KyselyPlugin,
  type KyselyProps,
  PostgresAdapter,
  type QueryCompiler,
  type QueryExecutor,
} from "kysely";
import type { Schema } from "../schema.ts";

/** The SQL of an engine. */
export interface SqlDialect {
  readonly createAdapter: () => DialectAdapter;
  readonly createQueryCompiler: () => QueryCompiler;
  readonly createIntrospector: (db: Kysely<unknown>) => DatabaseIntrospector;
  readonly plugins?: readonly KyselyPlugin[];
}

/** A connection whose statements complete synchronously. */
export interface SyncConnection extends DatabaseConnection {
  /** The first column of the first row; `undefined` if there is no row. */
  firstValueSync(sql: string, parameters: readonly unknown[]): unknown;
}

export function isSync(connection: DatabaseConnection): connection is SyncConnection {
  return "firstValueSync" in connection;
}

/** An engine's SQL, ready to compile statements: all records of the engine share it. */
export interface EngineDialect {
  readonly dialect: Dialect;
  readonly compiler: QueryExecutor;
}

export function engineDialect(sql: SqlDialect): EngineDialect {
  const dialect = dialectOf(sql, new Unconnected());
  return { dialect, compiler: new Kysely<Schema>({ dialect, plugins: [...(sql.plugins ?? [])] }).getExecutor() };
}

/** The connection of records that only compile. */
class Unconnected implements DatabaseConnection {
  executeQuery(): Promise<never> {
    return Promise.reject(new Error("there is no connection"));
  }

  // biome-ignore lint/correctness/useYield: streaming is not supported
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error("rows are not streamed");
  }
}

/** Records that tell their connection. */
export class ConnectedRecords extends Kysely<Schema> {
  readonly over: DatabaseConnection;
  /** Statements that were compiled for it are good for all records with the same. */
  readonly compiledFor: object;

  constructor(props: KyselyConfig | KyselyProps, connection: DatabaseConnection, compiledFor: object) {
    // The constructor takes either, in two overloads.
    super(props as KyselyProps);
    this.over = connection;
    this.compiledFor = compiledFor;
  }
}

export function isPostgres(db: Pick<Kysely<unknown>, "getExecutor">): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}

/** The records with their connection. @throws Error if they were not made here. */
export function connected(db: Kysely<Schema>): ConnectedRecords {
  if (!(db instanceof ConnectedRecords)) throw new Error("these records have no connection");
  return db;
}

/** The records over one connection, without a lease: for migrations. The caller ensures exclusive use. */
export function recordsOver(connection: DatabaseConnection, sql: SqlDialect): Kysely<Schema> {
  const dialect = dialectOf(sql, connection);
  return new ConnectedRecords({ dialect, plugins: [...(sql.plugins ?? [])] }, connection, {});
}

function dialectOf(sql: SqlDialect, connection: DatabaseConnection): Dialect {
  return {
    createAdapter: sql.createAdapter,
    createQueryCompiler: sql.createQueryCompiler,
    createDriver: () => new SingleConnectionDriver(connection),
    createIntrospector: sql.createIntrospector,
  };
}

/** A driver with one given connection; the migrations open transactions on it. */
export class SingleConnectionDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(connection: DatabaseConnection) {
    this.#connection = connection;
  }

  init(): Promise<void> {
    return Promise.resolve();
  }

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection);
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin"));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("commit"));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("rollback"));
  }

  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    return Promise.resolve();
  }
}
