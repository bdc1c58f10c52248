import { call } from "../api.ts";
import { type Resource, useResource } from "../resource.ts";
import { valueText } from "./text.tsx";

const OPERATORS = {
  $eq: "is",
  $ne: "is not",
  $gt: "is more than",
  $gte: "is at least",
  $lt: "is less than",
  $lte: "is at most",
  $in: "is one of",
  $nin: "is none of",
  $exists: "exists",
  $regex: "matches",
} as const;
export type Operator = keyof typeof OPERATORS;

/** A condition on an attribute, as it is edited. */
export interface Term {
  readonly scope: string;
  readonly attribute: string;
  readonly type: Operator;
  readonly value: string;
}

export function isTerm(value: unknown): value is Term {
  if (typeof value !== "object" || value === null) return false;
  const { scope, attribute, type, value: compared } = value as Partial<Record<keyof Term, unknown>>;
  return [scope, attribute, compared].every((one) => typeof one === "string") && Object.hasOwn(OPERATORS, String(type));
}

export const FIRST_TERM: Term = { scope: "inventory", attribute: "device_type", type: "$eq", value: "" };

/** Numbers are compared as numbers where an attribute holds them: text that is one is sent as one. */
function conditionValue({ type, value }: Term): unknown {
  const one = (text: string): unknown => (text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text);
  if (type === "$exists") return value !== "false";
  if (type === "$regex") return value;
  return type === "$in" || type === "$nin" ? value.split(",").map((part) => one(part.trim())) : one(value);
}

/** The conditions as the API takes them. */
export function sent(terms: readonly Term[]) {
  return terms.map((term) => ({ ...term, value: conditionValue(term) }));
}

/** `device_type is board` */
export function termText({ attribute, type, value }: Omit<Term, "type" | "value"> & { type: string; value: unknown }) {
  if (type === "$exists") return `${attribute} ${value === false || value === "false" ? "does not exist" : "exists"}`;
  return `${attribute} ${OPERATORS[type as Operator] ?? type} ${valueText(value)}`;
}

interface AttributeName {
  readonly scope: string;
  readonly name: string;
}

/** Names of all attributes that devices have, the most frequent first. */
export function useAttributes(): Resource<readonly AttributeName[]> {
  return useResource("attributes", async (signal) => {
    const { data } = await call("get", "/api/management/v2/inventory/filters/attributes", { signal });
    const isKnown = data.some(({ scope, name }) => scope === FIRST_TERM.scope && name === FIRST_TERM.attribute);
    return isKnown ? data : [{ scope: FIRST_TERM.scope, name: FIRST_TERM.attribute }, ...data];
  });
}

/** Edits a condition. */
export function TermEditor({
  term,
  names,
  change,
  remove,
}: {
  readonly term: Term;
  readonly names: readonly AttributeName[];
  readonly change: (part: Partial<Term>) => void;
  /** Absent: it cannot be removed. */
  readonly remove?: () => void;
}) {
  return (
    <div class="phase">
      <select
        aria-label="Attribute"
        value={`${term.scope}/${term.attribute}`}
        onChange={({ currentTarget }) => {
          const [scope = "", ...rest] = currentTarget.value.split("/");
          change({ scope, attribute: rest.join("/") });
        }}
      >
        {names.map(({ scope, name }) => (
          <option key={`${scope}/${name}`} value={`${scope}/${name}`}>
            {name} ({scope})
          </option>
        ))}
      </select>
      <select
        aria-label="Operator"
        value={term.type}
        onChange={({ currentTarget }) => change({ type: currentTarget.value as Operator })}
      >
        {Object.entries(OPERATORS).map(([operator, text]) => (
          <option key={operator} value={operator}>
            {text}
          </option>
        ))}
      </select>
      <input
        aria-label="Value"
        value={term.value}
        placeholder={term.type === "$in" || term.type === "$nin" ? "one, two" : ""}
        onInput={({ currentTarget }) => change({ value: currentTarget.value })}
      />
      {remove !== undefined && (
        <button type="button" onClick={remove}>
          Remove
        </button>
      )}
    </div>
  );
}

/** False while a condition has no value yet. */
export function isComplete({ type, value }: Term): boolean {
  return type === "$exists" || value.trim() !== "";
}
