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

/** What differs between the engines as far as statements are concerned. */
export interface Language {
  readonly createAdapter: () => DialectAdapter;
  readonly createQueryCompiler: () => QueryCompiler;
  readonly createIntrospector: (db: Kysely<unknown>) => DatabaseIntrospector;
  readonly plugins?: readonly KyselyPlugin[];
}

/** A connection whose statements complete synchronously. */
export interface ImmediateConnection extends DatabaseConnection {
  /** What a statement tells first: a column of a row. `undefined`: there is no row. */
  cell(sql: string, parameters: readonly unknown[]): unknown;
}

export function isImmediate(connection: DatabaseConnection): connection is ImmediateConnection {
  return "cell" in connection;
}

const connections = new WeakMap<Kysely<Schema>, DatabaseConnection>();

/** The connection that {@link recordsOver} was given. */
export function connectionOf(db: Kysely<Schema>): DatabaseConnection {
  const connection = connections.get(db);
  if (connection === undefined) throw new Error("these are no records over a connection");
  return connection;
}

/** The records over one connection. The caller ensures exclusive use. */
export function recordsOver(connection: DatabaseConnection, language: Language): Kysely<Schema> {
  const dialect: Dialect = {
    createAdapter: language.createAdapter,
    createQueryCompiler: language.createQueryCompiler,
    createDriver: () => new OneConnection(connection),
    createIntrospector: language.createIntrospector,
  };
  const records = new Kysely<Schema>({ dialect, plugins: [...(language.plugins ?? [])] });
  connections.set(records, connection);
  return records;
}

/** Hands out the connection that it was given, and opens transactions on it for the migrations. */
class OneConnection implements Driver {
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
