import type { Compilable, CompiledQuery, Kysely } from "kysely";
import { connectionOf, isSync } from "./engines/dialect.ts";
import type { Schema } from "./schema.ts";

/** Stands in for a value while a statement is compiled. */
class Placeholder {
  readonly name: PropertyKey;

  constructor(name: PropertyKey) {
    this.name = name;
  }
}

/**
 * A frequent statement, compiled once per connection.
 * @typeParam P Its parameters by name.
 * @typeParam R A row of its result.
 */
export class Prepared<P extends object, R> {
  readonly #build: (db: Kysely<Schema>, value: <K extends keyof P>(name: K) => P[K]) => Compilable<R>;
  readonly #compiled = new WeakMap<Kysely<Schema>, CompiledQuery<R>>();

  /** @param build Builds the statement, with `value(…)` in place of each parameter. */
  constructor(build: (db: Kysely<Schema>, value: <K extends keyof P>(name: K) => P[K]) => Compilable<R>) {
    this.#build = build;
  }

  async all(db: Kysely<Schema>, values: P): Promise<R[]> {
    const compiled = this.#compiled.get(db) ?? this.#compile(db);
    const parameters = this.#parameters(compiled, values);
    const { rows } = await connectionOf(db).executeQuery<R>({ ...compiled, parameters });
    return rows;
  }

  /** The first column of the first row. @throws Error if the engine has no synchronous statements. */
  firstValueSync<T>(db: Kysely<Schema>, values: P): T | undefined {
    const connection = connectionOf(db);
    if (!isSync(connection)) throw new Error("the engine has no synchronous statements");
    const compiled = this.#compiled.get(db) ?? this.#compile(db);
    return connection.firstValueSync(compiled.sql, this.#parameters(compiled, values)) as T | undefined;
  }

  #parameters(compiled: CompiledQuery<R>, values: P): unknown[] {
    return compiled.parameters.map((parameter) =>
      parameter instanceof Placeholder ? values[parameter.name as keyof P] : parameter,
    );
  }

  async first(db: Kysely<Schema>, values: P): Promise<R | undefined> {
    return (await this.all(db, values))[0];
  }

  #compile(db: Kysely<Schema>): CompiledQuery<R> {
    // The compiler passes values through unread, so a placeholder may have the type of its value.
    const placeholder = <K extends keyof P>(name: K) => new Placeholder(name) as unknown as P[K];
    const compiled = this.#build(db, placeholder).compile();
    this.#compiled.set(db, compiled);
    return compiled;
  }
}
