import { parseDocument } from "yaml";
import * as z from "zod";
import { Name } from "../../faults/language/quantities.ts";
import type { Path } from "./positions.ts";
import { suggestion } from "./similar.ts";

export const ParameterValue = z.union([z.string(), z.number(), z.boolean()], {
  error: "a text, a number, true or false",
});
const Values = z.record(Name, ParameterValue);

/** Values of parameters, by their names. */
export type ParameterValues = z.output<typeof Values>;

/** The keys of a scenario that give its parameters their values. */
export const parameterShape = {
  parameters: Values.optional().meta({
    description: `Parameters with their usual values. \${name} in any text of the file stands for the value; $\${ for \${`,
  }),
  cases: z.array(Values, { error: "a list of mappings, each of some parameters" }).min(1).optional().meta({
    description:
      "The file is run once for each of these rows, which give some parameters other values. With --set there is one run, and no table",
  }),
};

const Parameterised = z.looseObject(parameterShape);

/** An error in the use of parameters. */
export interface ParameterFault {
  readonly path: Path;
  readonly message: string;
}

/** A file's value without its parameters. */
export interface Filled {
  readonly value: unknown;
  readonly faults: readonly ParameterFault[];
}

/** The rows of the table of a file; one empty row if it has none. Wrong ones are refused by the schema. */
export function rowsOf(value: unknown): readonly ParameterValues[] {
  return Parameterised.safeParse(value).data?.cases ?? [{}];
}

/** The names of the parameters of a file. */
export function parameterNames(value: unknown): readonly string[] {
  return Object.keys(Parameterised.safeParse(value).data?.parameters ?? {});
}

/** The value of a file with the values of its parameters in their places. @param given Other values than the usual ones. */
export function filledIn(value: unknown, given: ParameterValues): Filled {
  const { parameters, cases = [] } = Parameterised.safeParse(value).data ?? {};
  if (parameters === undefined) return { value, faults: unusable(Object.keys(given), cases) };
  const names = Object.keys(parameters);
  const filling = new Filling({ ...parameters, ...given });
  const filled = filling.of(value, []);
  const unknown = cases.flatMap((row, index) =>
    Object.keys(row)
      .filter((name) => !names.includes(name))
      .map((name) => ({ path: ["cases", index, name], message: unknownText(name, names) })),
  );
  const unused = names
    .filter((name) => !filling.used.has(name))
    .map((name) => ({
      path: ["parameters", name],
      message: `expected a parameter that is used, got ${JSON.stringify(name)}: nothing in this file has \${${name}}`,
    }));
  return { value: filled, faults: [...filling.faults, ...unknown, ...unused] };
}

function unusable(given: readonly string[], cases: readonly unknown[]): ParameterFault[] {
  if (cases.length > 0) return [{ path: ["cases"], message: "expected parameters too, whose values a table gives" }];
  return given.map((name) => ({ path: [], message: unknownText(name, []) }));
}

function unknownText(name: string, names: readonly string[]): string {
  const known = names.length === 0 ? "there is none" : `there are ${names.join(", ")}`;
  return `expected the name of a parameter, got ${JSON.stringify(name)}${suggestion(name, names)}; ${known}`;
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;

/** Puts values in the places of parameters. */
class Filling {
  readonly used = new Set<string>();
  readonly faults: ParameterFault[] = [];
  readonly #values: ParameterValues;

  constructor(values: ParameterValues) {
    this.#values = values;
  }

  of(value: unknown, path: Path): unknown {
    if (typeof value === "string") return this.#text(value, path);
    if (Array.isArray(value)) return value.map((one, index) => this.of(one, [...path, index]));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => {
        const isTable = path.length === 0 && key in parameterShape;
        return [key, isTable ? inner : this.of(inner, [...path, key])];
      }),
    );
  }

  /** A text that is nothing but a parameter becomes its value, whatever that is. */
  #text(text: string, path: Path): unknown {
    const alone = /^\$\{([^}]*)\}$/.exec(text)?.[1];
    if (alone !== undefined) return this.#value(alone, path);
    return text.replace(REFERENCE, (reference, name: string | undefined) =>
      name === undefined ? `\${` : String(this.#value(name, path) ?? reference),
    );
  }

  #value(name: string, path: Path): string | number | boolean | undefined {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    if (value === undefined) this.faults.push({ path, message: unknownText(name, Object.keys(this.#values)) });
    else this.used.add(name);
    return value;
  }
}

/** `poll=5m, count=40` */
export function valuesText(values: ParameterValues): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}

/** The text of a scenario file with these values as the usual ones, and without a table. */
export function withValues(text: string, values: ParameterValues): string {
  const document = parseDocument(text);
  for (const [name, value] of Object.entries(values)) document.setIn(["parameters", name], value);
  document.delete("cases");
  return document.toString({ lineWidth: 120 });
}

/** Name and value in `NAME=VALUE`, the value read as in a file; `undefined` if it is no such text. */
export function parseParameter(text: string): readonly [name: string, value: ParameterValues[string]] | undefined {
  const equals = text.indexOf("=");
  const name = Name.safeParse(text.slice(0, Math.max(equals, 0)));
  const value = ParameterValue.safeParse(scalar(text.slice(equals + 1)));
  return equals > 0 && name.success && value.success ? [name.data, value.data] : undefined;
}

/** What is no YAML is a text. */
function scalar(text: string): unknown {
  const document = parseDocument(text);
  return document.errors.length > 0 ? text : document.toJS();
}
