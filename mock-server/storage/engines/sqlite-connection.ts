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

type Row = Record<string, unknown>;

/** A prepared statement. */
interface Known {
  readonly statement: Statement<unknown[]>;
  /** Makes rows of values; `undefined` if the statement returns none. */
  readonly row: ((values: readonly unknown[]) => Row) | undefined;
  /** What `select *` returns may be different afterwards. */
  readonly changesTables: boolean;
}

const CHANGES_TABLES = /^\s*(?:create|alter|drop)\b/i;

/** Makes rows of their values. better-sqlite3 does it property by property, which takes twice as long as the query. */
function rowsOf(statement: Statement<unknown[]>): (values: readonly unknown[]) => Row {
  let names: readonly string[] = [];
  let empty: Row = {};
  return (values) => {
    if (names.length !== values.length) {
      // Not before the statement has run: until then it has the columns that this connection last saw.
      names = statement.columns().map(({ name }) => name);
      empty = Object.fromEntries(names.map((name) => [name, null]));
    }
    const row = { ...empty };
    // Of two columns of one name, the later one counts.
    for (let at = 0; at < names.length; at++) row[names[at] as string] = values[at];
    return row;
  };
}

/** Runs statements, each prepared once. */
export class SqliteConnection implements SyncConnection {
  readonly #sqlite: Database;
  /** In the order in which they were prepared. */
  readonly #statements = new Map<string, Known>();

  /** A prepared statement returns either rows or plucked values, so these are kept apart. There are few. */
  readonly #plucked = new Map<string, Statement<unknown[]>>();

  constructor(sqlite: Database) {
    this.#sqlite = sqlite;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    refuseNul(parameters);
    const { statement, row, changesTables } = this.#statements.get(sql) ?? this.#prepare(sql);
    if (row !== undefined) return { rows: (statement.all(parameters) as unknown[][]).map(row) as R[] };
    const { changes } = statement.run(parameters);
    if (changesTables) this.#statements.clear();
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

  #prepare(sql: string): Known {
    const statement = this.#sqlite.prepare<unknown[]>(sql);
    const known = {
      statement,
      row: statement.reader ? rowsOf(statement.raw()) : undefined,
      changesTables: CHANGES_TABLES.test(sql),
    };
    if (this.#statements.size >= STATEMENTS_MAX) {
      const [oldest] = this.#statements.keys();
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    this.#statements.set(sql, known);
    return known;
  }
}
