import type { Logger } from "@upkeep/shared/logging";
import type { CompiledQuery, Kysely } from "kysely";
import { DatabaseError, Pool, type PoolClient, types } from "pg";
import { connectionFault, StorageError } from "../faults.ts";
import type { Schema } from "../schema.ts";
import { recordsOver } from "./dialect.ts";
import { GroupCommit, type GroupCommitPort } from "./group-commit.ts";
import { LeasedRecords } from "./lease.ts";
import { LockOrder } from "./lock-order.ts";
import { POSTGRES, POSTGRES_RECORDS, PostgresConnection, StatementNames } from "./postgres-connection.ts";
import type { RecordsEngine, Work } from "./records-engine.ts";
import { settled } from "./settled.ts";

/** The oldest version whose triggers and identity columns are as the tables need them. */
const MAJOR_MIN = 13;
/** Of one server: as many devices write at the same time. */
const CONNECTIONS_MAX = 32;
const CONNECT_MS_MAX = 10_000;
/** How long a write waits for the writes of other processes. */
const LOCK_MS_MAX = 30_000;
/** A database that does not answer for so long is away: its process is stopped, or the network to it is lost. */
const ANSWER_MS_MAX = 60_000;
/** A stopped process loses its transaction, and with it the write lock, after this time. */
const IDLE_MS_MAX = 15_000;

/** The lock of the whole, held until the transaction ends. It contains the schema: servers may share a database. */
const KEY = "1431325509, hashtext(current_schema())";
const ALONE = `select pg_advisory_xact_lock(${KEY})`;
/** Excludes {@link ALONE}, and others that hold it do not. */
const BESIDE_OTHERS: Lock = { sql: `select pg_advisory_xact_lock_shared(${KEY})`, parameters: [] };
const FOLD_LOCK: Lock = {
  sql: "select pg_advisory_xact_lock(1431325510, hashtext(current_schema()))",
  parameters: [],
};
const DEVICE_ROW = "select from devices where id = $1 for no key update";

/** A statement that takes a lock. */
type Lock = Pick<CompiledQuery, "sql" | "parameters">;

/**
 * The beginning of each transaction that writes. Read committed: a statement sees what was committed before it, and so
 * what was committed while the locks were waited for.
 */
const BEGIN = "begin isolation level read committed";
/**
 * The first statement of a connection. Commits are synchronous whatever the default of the database, because
 * acknowledged writes must survive.
 */
const PREPARE_CONNECTION = "set synchronous_commit = on";

/** Parses `bigint` as a number: no count or time exceeds the exact range of a float. */
const BIGINT_OID = 20;
const numbers = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === BIGINT_OID ? Number : types.getTypeParser(oid, format as "text"),
};

/** SQLSTATE: the database asks for another try. */
const TRY_AGAIN: readonly (string | undefined)[] = ["40001", "40P01"];
const TRIES = 5;

function mayTryAgain(error: unknown, tried: number): boolean {
  return error instanceof DatabaseError && TRY_AGAIN.includes(error.code) && tried < TRIES;
}

/**
 * A PostgreSQL database, which other processes may use at the same time.
 * @param location.url `postgres://…`
 * @param location.answerMsMax Limit of one statement, except in migrations.
 * @param location.checksLocks Refuse a transaction of a device that takes locks out of order. For tests.
 */
export async function openPostgresEngine(
  {
    url,
    answerMsMax = ANSWER_MS_MAX,
    checksLocks = false,
  }: { readonly url: string; readonly answerMsMax?: number; readonly checksLocks?: boolean },
  logger?: Pick<Logger, "error">,
): Promise<RecordsEngine> {
  const pool = new Pool({
    connectionString: url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    application_name: "upkeep-server",
    lock_timeout: LOCK_MS_MAX,
    query_timeout: answerMsMax,
    idle_in_transaction_session_timeout: IDLE_MS_MAX,
    types: numbers,
    // Sends a statement without waiting for the result of the one before.
    pipeline: true,
  });
  pool.on("connect", (client) => {
    client.on("error", (error) => logger?.error("a connection to the database broke", { error }));
    // Sent before anything else; if it fails, so does what is sent next.
    client.query(PREPARE_CONNECTION).catch(() => undefined);
  });
  // The pool has dropped the broken connection, whose error is logged above, and opens another one when needed.
  pool.on("error", () => undefined);
  try {
    await mustBeNewEnough(pool);
    return new PostgresEngine(pool, checksLocks);
  } catch (error) {
    await pool.end();
    throw connectionFault(error);
  }
}

async function mustBeNewEnough(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ number: number; name: string }>(
    "select current_setting('server_version_num')::int as number, current_setting('server_version') as name",
  );
  const [version] = rows;
  if (version !== undefined && version.number >= MAJOR_MIN * 10_000) return;
  throw new StorageError("unsuitable", `it is PostgreSQL ${version?.name}, and ${MAJOR_MIN} or newer is needed`);
}

class PostgresEngine implements RecordsEngine {
  readonly #connections: Connections;
  readonly #writes: GroupCommit;
  /** The pool would never serve those that wait for a connection when it ends. */
  readonly #running = new Set<Promise<unknown>>();
  readonly #checksLocks: boolean;
  #retries = 0;

  get retries(): number {
    return this.#retries;
  }

  constructor(pool: Pool, checksLocks: boolean) {
    this.#checksLocks = checksLocks;
    this.#connections = new Connections(pool);
    this.#writes = new GroupCommit(new Writer(this.#connections));
  }

  async migrate<T>(work: (db: Kysely<Schema>, tableSchema: string) => Promise<T>): Promise<T> {
    const client = await this.#connections.take();
    return await released(client, async () => {
      const { rows } = await client.query<{ name: string | null }>("select current_schema() as name");
      const schema = rows[0]?.name;
      if (!schema) throw new Error("the database has no schema for tables: one of its search_path must exist");
      return await work(this.#connections.patientRecords(client), schema);
    });
  }

  write<T>(work: Work<T>): Promise<T> {
    return connected(() => this.#writes.run(work));
  }

  writeOf<T>(deviceId: string, work: Work<T>): Promise<T> {
    // The row, not a lock beside it: what deletes the device waits for it too. A device that is gone has no row to lock,
    // and nothing but ended device deployments.
    return connected(() => this.#writeBesideOthers({ sql: DEVICE_ROW, parameters: [deviceId] }, work));
  }

  readonly fold = (work: Work<void>): Promise<void> => connected(() => this.#writeBesideOthers(FOLD_LOCK, work));

  async #writeBesideOthers<T>(lock: Lock, work: Work<T>): Promise<T> {
    const running = this.#tryToWrite(lock, work);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Runs the whole work again if the database gives it up: a part could not end a deadlock. */
  async #tryToWrite<T>(lock: Lock, work: Work<T>): Promise<T> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await this.#writeOnce(lock, work);
      } catch (error) {
        if (!mayTryAgain(error, tried)) throw error;
        this.#retries += 1;
      }
    }
  }

  async #writeOnce<T>(lock: Lock, work: Work<T>): Promise<T> {
    const client = await this.#connections.take();
    const { connection, records } = this.#connections.of(client);
    const order = this.#checksLocks && lock !== FOLD_LOCK ? new LockOrder() : undefined;
    return await released(client, async () => {
      // The first statements of the work are sent behind the locks, and wait for them in the database.
      const [, , , result] = await settled([
        connection.run(BEGIN),
        connection.executeQuery(BESIDE_OTHERS),
        connection.executeQuery(lock),
        records.lend(work, order && ((query) => order.take(query))),
      ]);
      await commit(client);
      return result;
    });
  }

  read<T>(work: Work<T>): Promise<T> {
    return connected(() => this.#read(work));
  }

  async #read<T>(work: Work<T>): Promise<T> {
    const client = await this.#connections.take();
    return await released(client, async () => {
      const { connection, records } = this.#connections.of(client);
      const [, result] = await settled([
        connection.run("begin isolation level repeatable read read only"),
        records.lend(work),
      ]);
      await client.query("rollback");
      return result;
    });
  }

  readOne<T>(work: Work<T>): Promise<T> {
    return connected(async () => {
      const client = await this.#connections.take();
      return await released(client, () => this.#connections.of(client).records.lend(work));
    });
  }

  readSync(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    await this.#writes.idle();
    await Promise.allSettled(this.#running);
    await this.#connections.close();
  }
}

/** Turns connection errors into storage errors. */
async function connected<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    throw connectionFault(error);
  }
}

/** The longest that a timer can wait. */
const PATIENT_MS_MAX = 2 ** 31 - 1;

interface Equipment {
  readonly connection: PostgresConnection;
  readonly records: LeasedRecords;
}

/** Connections, each with its own records. */
class Connections {
  readonly #pool: Pool;
  readonly #names = new StatementNames();
  readonly #known = new WeakMap<PoolClient, Equipment>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  take(): Promise<PoolClient> {
    return this.#pool.connect();
  }

  of(client: PoolClient): Equipment {
    const known = this.#known.get(client);
    if (known !== undefined) return known;
    const connection = new PostgresConnection(client, this.#names);
    const made = { connection, records: new LeasedRecords(connection, POSTGRES_RECORDS) };
    this.#known.set(client, made);
    return made;
  }

  /** For statements that may take long, such as those that rewrite a table. */
  patientRecords(client: PoolClient): Kysely<Schema> {
    return recordsOver(new PostgresConnection(client, this.#names, PATIENT_MS_MAX), POSTGRES);
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

/** Runs the last part of a transaction and returns the connection to the pool, rolled back on failure. */
async function released<T>(client: PoolClient, last: () => Promise<T>): Promise<T> {
  try {
    const result = await last();
    client.release();
    return result;
  } catch (error) {
    await undo(client);
    throw error;
  }
}

/** @throws Error if PostgreSQL answers the commit with a rollback, which is no error to it: a statement had failed. */
async function commit(client: PoolClient): Promise<void> {
  const { command } = await client.query("commit");
  if (command !== "COMMIT") throw new Error("the database has rolled the transaction back");
}

async function undo(client: PoolClient): Promise<void> {
  try {
    await client.query("rollback");
    client.release();
  } catch (broken) {
    client.release(broken instanceof Error ? broken : true);
  }
}

/** One transaction at a time, on a connection that is taken for it. */
class Writer implements GroupCommitPort {
  readonly #connections: Connections;
  #client: PoolClient | undefined;
  /** Resolves when the savepoint of the last write is released; the next statements are pipelined behind it. */
  #released: Promise<unknown> = Promise.resolve();

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  async begin(): Promise<void> {
    const client = await this.#connections.take();
    try {
      // One message, one round trip.
      await client.query(`${BEGIN}; ${ALONE}; savepoint attempt`);
    } catch (error) {
      await undo(client);
      throw error;
    }
    this.#client = client;
    this.#released = Promise.resolve();
  }

  async attempt<T>(work: Work<T>): Promise<T> {
    for (let tried = 1; ; tried += 1) {
      try {
        const result = await this.#connections.of(this.#mine()).records.lend(work);
        const release = this.#mine().query("release savepoint attempt; savepoint attempt");
        // commit() reports the error.
        this.#released = settled([this.#released, release]);
        this.#released.catch(() => undefined);
        return result;
      } catch (error) {
        await this.#mine().query("rollback to savepoint attempt");
        if (!mayTryAgain(error, tried)) throw error;
      }
    }
  }

  async commit(): Promise<void> {
    await settled([this.#released, commit(this.#mine())]);
    this.#mine().release();
    this.#client = undefined;
  }

  async rollback(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await undo(client);
  }

  /** A commit is durable when PostgreSQL answers it. */
  async sync(): Promise<void> {
    return Promise.resolve();
  }

  #mine(): PoolClient {
    if (this.#client === undefined) throw new Error("there is no transaction");
    return this.#client;
  }
}
