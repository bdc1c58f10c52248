import { usage } from "./failure.ts";

const SCOPES = ["identity", "inventory", "monitor", "system", "tags"] as const;

/** A condition on an attribute, as the API takes it. */
export interface Term {
  readonly scope: string;
  readonly attribute: string;
  readonly type: string;
  readonly value: unknown;
}

const OPERATORS: Readonly<Record<string, string>> = {
  "=": "$eq",
  "!=": "$ne",
  ">=": "$gte",
  "<=": "$lte",
  ">": "$gt",
  "<": "$lt",
  "~": "$regex",
};
/** Of each type of the API, the operator that people write. */
const WRITTEN = new Map(Object.entries(OPERATORS).map(([written, type]) => [type, written]));

const ATTRIBUTE = /^\s*(?:([a-z]+)\/)?([^\s=!<>~,"'/][^\s=!<>~,"']*)\s*/;
const OPERATOR = /^(!=|>=|<=|=|>|<|~)\s*/;
const WORD = /^(?:"((?:[^"\\]|\\.)*)"|([^\s,()"]+))\s*/;
const AND = /^(?:,|and\b)\s*/i;
const NUMBER = /^-?\d{1,15}(\.\d{1,15})?$/;

/** What is left to read of an expression. */
class Rest {
  readonly #whole: string;
  #at = 0;

  constructor(text: string) {
    this.#whole = text;
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    const match = pattern.exec(this.#whole.slice(this.#at));
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }

  get isAtEnd(): boolean {
    return this.#whole.slice(this.#at).trim() === "";
  }

  fault(expected: string) {
    const place = this.isAtEnd ? "the end" : JSON.stringify(this.#whole.slice(this.#at, this.#at + 20));
    return usage(
      `filter ${JSON.stringify(this.#whole)}: ${expected} is missing at ${place}; ` +
        'for example: device_type=my-board, memory>=512 and tags/site="Building 7"',
    );
  }
}

/**
 * Conditions as people write them, all of which must be met: `[SCOPE/]NAME OP VALUE`, with `,` or `and` between two;
 * the operators are = != > >= < <= ~ (regular expression), `in (A, B)`, `not in (A, B)`, `exists` and `missing`. Without a
 * scope it is `inventory`. Numbers are compared as numbers unless they are in quotation marks.
 * @throws CtlError (usage) that says what is missing where
 */
export function parseFilter(text: string): readonly Term[] {
  const rest = new Rest(text);
  const terms: Term[] = [];
  do {
    terms.push(term(rest));
    if (rest.isAtEnd) return terms;
  } while (rest.take(AND) !== undefined);
  throw rest.fault("'and'");
}

function term(rest: Rest): Term {
  const [, scope = "inventory", attribute = ""] = rest.take(ATTRIBUTE) ?? [];
  if (attribute === "") throw rest.fault("the name of an attribute");
  if (!(SCOPES as readonly string[]).includes(scope)) {
    throw usage(`filter: there is no scope ${JSON.stringify(scope)}; there are ${SCOPES.join(", ")}`);
  }
  const named = { scope, attribute };
  if (rest.take(/^exists\b\s*/i)) return { ...named, type: "$exists", value: true };
  if (rest.take(/^missing\b\s*/i)) return { ...named, type: "$exists", value: false };
  if (rest.take(/^not\s+in\b\s*/i)) return { ...named, type: "$nin", value: values(rest) };
  if (rest.take(/^in\b\s*/i)) return { ...named, type: "$in", value: values(rest) };
  const operator = rest.take(OPERATOR)?.[1];
  if (operator === undefined) throw rest.fault("an operator (= != > >= < <= ~ in exists missing)");
  const type = OPERATORS[operator] ?? "$eq";
  return { ...named, type, value: type === "$regex" ? String(value(rest)) : value(rest) };
}

function values(rest: Rest): readonly (string | number)[] {
  if (!rest.take(/^\(\s*/)) throw rest.fault("'('");
  const all = [value(rest)];
  while (rest.take(/^,\s*/)) all.push(value(rest));
  if (!rest.take(/^\)\s*/)) throw rest.fault("')'");
  return all;
}

function value(rest: Rest): string | number {
  const match = rest.take(WORD);
  if (match === undefined) throw rest.fault("a value");
  const [, quoted, plain = ""] = match;
  if (quoted !== undefined) return quoted.replace(/\\(.)/g, "$1");
  return NUMBER.test(plain) ? Number(plain) : plain;
}

/** A condition as {@link parseFilter} reads it. */
export function filterText(terms: readonly Term[]): string {
  return terms.map(termText).join(" and ");
}

function termText({ scope, attribute, type, value: wanted }: Term): string {
  const name = scope === "inventory" ? attribute : `${scope}/${attribute}`;
  if (type === "$exists") return `${name} ${wanted === true ? "exists" : "missing"}`;
  if (type === "$in" || type === "$nin") {
    const list = (Array.isArray(wanted) ? wanted : [wanted]).map(wordText).join(", ");
    return `${name} ${type === "$in" ? "in" : "not in"} (${list})`;
  }
  return `${name}${WRITTEN.get(type) ?? ` ${type} `}${wordText(wanted)}`;
}

function wordText(word: unknown): string {
  const text = String(word);
  const isPlain = /^[^\s,()"]+$/.test(text) && (typeof word === "number" || !NUMBER.test(text));
  return isPlain ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}
