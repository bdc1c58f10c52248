import type { Compilable, CompiledQuery, Kysely } from "kysely";
import { connectionOf, isImmediate } from "./engines/dialect.ts";
import type { Schema } from "./schema.ts";

/** Stands for a value while a statement is compiled. */
class Place {
  readonly name: PropertyKey;

  constructor(name: PropertyKey) {
    this.name = name;
  }
}

/**
 * A statement that is asked for all the time: compiled once for each connection, not for each time.
 * @typeParam P The values that it takes, by name.
 * @typeParam R A row of its result.
 */
export class Prepared<P extends object, R> {
  readonly #build: (db: Kysely<Schema>, value: <K extends keyof P>(name: K) => P[K]) => Compilable<R>;
  readonly #compiled = new WeakMap<Kysely<Schema>, CompiledQuery<R>>();

  /** @param build Writes the statement, with `value(…)` wherever a value comes. */
  constructor(build: (db: Kysely<Schema>, value: <K extends keyof P>(name: K) => P[K]) => Compilable<R>) {
    this.#build = build;
  }

  async all(db: Kysely<Schema>, values: P): Promise<R[]> {
    const compiled = this.#compiled.get(db) ?? this.#compile(db);
    const parameters = this.#parameters(compiled, values);
    const { rows } = await connectionOf(db).executeQuery<R>({ ...compiled, parameters });
    return rows;
  }

  /** The first column of the first row, without waiting. @throws Error where the engine cannot. */
  cellNow<T>(db: Kysely<Schema>, values: P): T | undefined {
    const connection = connectionOf(db);
    if (!isImmediate(connection)) throw new Error("the engine does not answer at once");
    const compiled = this.#compiled.get(db) ?? this.#compile(db);
    return connection.cell(compiled.sql, this.#parameters(compiled, values)) as T | undefined;
  }

  #parameters(compiled: CompiledQuery<R>, values: P): unknown[] {
    return compiled.parameters.map((parameter) =>
      parameter instanceof Place ? values[parameter.name as keyof P] : parameter,
    );
  }

  async first(db: Kysely<Schema>, values: P): Promise<R | undefined> {
    return (await this.all(db, values))[0];
  }

  #compile(db: Kysely<Schema>): CompiledQuery<R> {
    // The compiler only carries values through: it never sees that these are none.
    const place = <K extends keyof P>(name: K) => new Place(name) as unknown as P[K];
    const compiled = this.#build(db, place).compile();
    this.#compiled.set(db, compiled);
    return compiled;
  }
}
