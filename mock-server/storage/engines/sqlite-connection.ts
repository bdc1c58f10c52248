import type { Database, Statement } from "better-sqlite3";
import {
  type CompiledQuery,
  type LimitNode,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  ValueNode,
} from "kysely";
import { engineDialect, type SqlDialect, type SyncConnection } from "./dialect.ts";
import { refuseNul } from "./nul.ts";

/** Writes limits into the statement: SQLite plans a statement again whenever a limit is bound to it. */
class LiteralLimits extends SqliteQueryCompiler {
  protected override visitLimit(node: LimitNode): void {
    const value: unknown = ValueNode.is(node.limit) ? node.limit.value : undefined;
    if (Number.isSafeInteger(value)) this.append(`limit ${value}`);
    else super.visitLimit(node);
  }
}

export const SQLITE: SqlDialect = {
  createAdapter: () => new SqliteAdapter(),
  createQueryCompiler: () => new LiteralLimits(),
  createIntrospector: (db) => new SqliteIntrospector(db),
};

export const SQLITE_RECORDS = engineDialect(SQLITE);

/** Bounds the cache: statements differ in the length of their lists too. */
const STATEMENTS_MAX = 500;

/** Runs statements, each prepared once. */
export class SqliteConnection implements SyncConnection {
  readonly #sqlite: Database;
  /** In the order in which they were prepared. */
  readonly #statements = new Map<string, Statement<unknown[]>>();

  /** A prepared statement returns either rows or plucked values, so these are kept apart. There are few. */
  readonly #plucked = new Map<string, Statement<unknown[]>>();

  constructor(sqlite: Database) {
    this.#sqlite = sqlite;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    refuseNul(parameters);
    const statement = this.#statements.get(sql) ?? this.#prepare(sql);
    if (statement.reader) return { rows: statement.all(parameters) as R[] };
    const { changes } = statement.run(parameters);
    return { numAffectedRows: BigInt(changes), rows: [] };
  }

  firstValueSync(sql: string, parameters: readonly unknown[]): unknown {
    let statement = this.#plucked.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare<unknown[]>(sql).pluck();
      this.#plucked.set(sql, statement);
    }
    return statement.get(...parameters);
  }

  // biome-ignore lint/correctness/useYield: streaming is not supported
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("rows are not streamed");
  }

  #prepare(sql: string): Statement<unknown[]> {
    const statement = this.#sqlite.prepare<unknown[]>(sql);
    if (this.#statements.size >= STATEMENTS_MAX) {
      const [oldest] = this.#statements.keys();
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    this.#statements.set(sql, statement);
    return statement;
  }
}
