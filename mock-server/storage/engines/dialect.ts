import {
  CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  Kysely,
  type KyselyPlugin,
  type QueryCompiler,
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

const connections = new WeakMap<Kysely<Schema>, DatabaseConnection>();

/** The connection that {@link recordsOver} was given. */
export function connectionOf(db: Kysely<Schema>): DatabaseConnection {
  const connection = connections.get(db);
  if (connection === undefined) throw new Error("this database was not made by recordsOver()");
  return connection;
}

/** The records over one connection. The caller ensures exclusive use. */
export function recordsOver(connection: DatabaseConnection, sqlDialect: SqlDialect): Kysely<Schema> {
  const dialect: Dialect = {
    createAdapter: sqlDialect.createAdapter,
    createQueryCompiler: sqlDialect.createQueryCompiler,
    createDriver: () => new SingleConnectionDriver(connection),
    createIntrospector: sqlDialect.createIntrospector,
  };
  const records = new Kysely<Schema>({ dialect, plugins: [...(sqlDialect.plugins ?? [])] });
  connections.set(records, connection);
  return records;
}

/** A driver with one given connection; the migrations open transactions on it. */
class SingleConnectionDriver implements Driver {
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
