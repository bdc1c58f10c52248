import type { Compilable, CompiledQuery, Kysely } from "kysely";
import { connected, isSync } from "./engines/dialect.ts";
import type { Schema } from "./schema.ts";
import { Statement } from "./statement.ts";

/** Stands in for a value while a statement is compiled. */
class Placeholder {
  readonly name: PropertyKey;

  constructor(name: PropertyKey) {
    this.name = name;
  }
}

const allRows = <R>(rows: R[]): R[] => rows;

/**
 * A frequent statement, compiled once per engine.
 * @typeParam P Its parameters by name.
 * @typeParam R A row of its result.
 */
export class Prepared<P extends object, R> {
  readonly #build: (db: Kysely<Schema>, value: <K extends keyof P>(name: K) => P[K]) => Compilable<R>;
  readonly #compiled = new WeakMap<object, CompiledQuery<R>>();

  /** @param build Builds the statement, with `value(…)` in place of each parameter. */
  constructor(build: (db: Kysely<Schema>, value: <K extends keyof P>(name: K) => P[K]) => Compilable<R>) {
    this.#build = build;
  }

  /** The statement with these values, to be sent with others. */
  statement(db: Kysely<Schema>, values: P): Statement<R[]> {
    const compiled = this.#compiledFor(db);
    const { sql, query, queryId } = compiled;
    const parameters = this.#parameters(compiled, values);
    return new Statement(db, { sql, query, queryId, parameters }, allRows<R>);
  }

  all(db: Kysely<Schema>, values: P): Promise<R[]> {
    return this.statement(db, values).send();
  }

  /** The first column of the first row. @throws Error if the engine has no synchronous statements. */
  firstValueSync<T>(db: Kysely<Schema>, values: P): T | undefined {
    const connection = connected(db).over;
    if (!isSync(connection)) throw new Error("the engine has no synchronous statements");
    const compiled = this.#compiledFor(db);
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

  #compiledFor(db: Kysely<Schema>): CompiledQuery<R> {
    const { compiledFor } = connected(db);
    const known = this.#compiled.get(compiledFor);
    if (known !== undefined) return known;
    // The compiler passes values through unread, so a placeholder may have the type of its value.
    const placeholder = <K extends keyof P>(name: K) => new Placeholder(name) as unknown as P[K];
    const compiled = this.#build(db, placeholder).compile();
    this.#compiled.set(compiledFor, compiled);
    return compiled;
  }
}

/**
 * Frequent statements of one shape, which differ in their columns or in their number of rows: each is compiled once per
 * engine. There must be few.
 * @typeParam V Tells them apart.
 */
export function variants<V extends string | number, P extends object, R>(
  build: (variant: V) => Prepared<P, R>,
): (variant: V) => Prepared<P, R> {
  const known = new Map<V, Prepared<P, R>>();
  return (variant) => {
    const made = known.get(variant) ?? build(variant);
    known.set(variant, made);
    return made;
  };
}
