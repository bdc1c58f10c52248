import type { Writable } from "node:stream";
import { given } from "@upkeep/shared/given";
import {
  type ColumnDefinitionNode,
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type DataTypeNode,
  HandleEmptyInListsPlugin,
  type Kysely,
  PostgresAdapter,
  PostgresQueryCompiler,
  type QueryResult,
  replaceWithNoncontingentExpression,
  type SchemaMetadata,
  sql,
  type TableMetadata,
} from "kysely";
import { type ClientBase, DatabaseError } from "pg";
import { invalid } from "../../errors.ts";
import { engineDialect, type SqlDialect } from "./dialect.ts";
import { refuseNul } from "./nul.ts";

/** Makes texts compare and sort by their bytes, whatever the locale of the database. */
class ByteOrderCompiler extends PostgresQueryCompiler {
  #defining = false;

  protected override visitColumnDefinition(node: ColumnDefinitionNode): void {
    this.#defining = true;
    super.visitColumnDefinition(node);
    this.#defining = false;
  }

  protected override visitDataType(node: DataTypeNode): void {
    super.visitDataType(node);
    if (this.#defining && node.dataType === "text") this.append(' collate "C"');
    this.#defining = false;
  }
}

/** Shows the migrations the tables of our own schema only: other schemas may change meanwhile. */
class OwnSchema implements DatabaseIntrospector {
  readonly #db: Kysely<unknown>;

  constructor(db: Kysely<unknown>) {
    this.#db = db;
  }

  async getSchemas(): Promise<SchemaMetadata[]> {
    return (await sql<SchemaMetadata>`select current_schema() as name`.execute(this.#db)).rows;
  }

  async getTables(): Promise<TableMetadata[]> {
    const { rows } = await sql<{ schema: string; name: string }>`
      select schemaname as schema, tablename as name from pg_tables where schemaname = current_schema()`.execute(
      this.#db,
    );
    return rows.map((table) => ({ ...table, isView: false, isForeign: false, columns: [] }));
  }

  async getMetadata(): Promise<{ tables: TableMetadata[] }> {
    return { tables: await this.getTables() };
  }
}

export const POSTGRES: SqlDialect = {
  createAdapter: () => new PostgresAdapter(),
  createQueryCompiler: () => new ByteOrderCompiler(),
  createIntrospector: (db) => new OwnSchema(db),
  // PostgreSQL rejects `in ()`.
  plugins: [new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })],
};

export const POSTGRES_RECORDS = engineDialect(POSTGRES);

/** The socket of a connection, which the types of pg leave out. */
interface WithSocket {
  readonly connection: { readonly stream: Writable };
}

/** Lets what is sent in one turn of the event loop leave in one write: the system call costs more than a statement. */
function gather(client: ClientBase): void {
  const { stream } = (client as ClientBase & WithSocket).connection;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

const WRITES: readonly string[] = ["INSERT", "UPDATE", "DELETE"];
/** SQLSTATE: a value that the database cannot store; a text that is too long for an index. */
const UNUSABLE_VALUE = /^(22...|54000)$/;

/** Runs statements; the first ones, which recur, are prepared once. */
export class PostgresConnection implements DatabaseConnection {
  readonly #client: ClientBase;
  readonly #prepared: StatementNames;
  readonly #answerMsMax: number | undefined;

  /** @param answerMsMax Limit of one statement. Default: that of the client. */
  constructor(client: ClientBase, prepared: StatementNames, answerMsMax?: number) {
    this.#client = client;
    this.#prepared = prepared;
    this.#answerMsMax = answerMsMax;
  }

  /** Runs a command without a result. */
  async run(command: string): Promise<void> {
    gather(this.#client);
    await this.#client.query(command);
  }

  async executeQuery<R>({ sql, parameters }: Pick<CompiledQuery, "sql" | "parameters">): Promise<QueryResult<R>> {
    refuseNul(parameters);
    gather(this.#client);
    try {
      const name = this.#prepared.of(sql);
      const { command, rowCount, rows } = await this.#client.query({
        ...given({ name, query_timeout: this.#answerMsMax }),
        text: sql,
        values: [...parameters],
      });
      if (!WRITES.includes(command)) return { rows: rows as R[] };
      return { numAffectedRows: BigInt(rowCount ?? 0), rows: rows as R[] };
    } catch (error) {
      if (error instanceof DatabaseError && UNUSABLE_VALUE.test(error.code ?? "")) {
        throw invalid(`a value cannot be kept or looked for: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  // biome-ignore lint/correctness/useYield: streaming is not supported
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("rows are not streamed");
  }
}

/** Bounds the prepared statements of a connection, which keeps them for ever. */
const PREPARED_MAX = 300;

/** Names for statements, the same on all connections. */
export class StatementNames {
  readonly #names = new Map<string, string>();

  of(sql: string): string | undefined {
    const known = this.#names.get(sql);
    if (known !== undefined || this.#names.size >= PREPARED_MAX) return known;
    const name = `upkeep_${this.#names.size}`;
    this.#names.set(sql, name);
    return name;
  }
}
