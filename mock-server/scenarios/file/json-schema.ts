import * as z from "zod";
import { Scenario } from "./scenario.ts";

/** A JSON Schema, or a part of one. */
type Part = Readonly<Record<string, unknown>>;

const PARAMETER = "Parameter";
const REFERENCE: Part = { $ref: `#/definitions/${PARAMETER}` };

const isPart = (value: unknown): value is Part => typeof value === "object" && value !== null && !Array.isArray(value);

/** True of a value that a text such as `${poll}` does not fit. */
function isPlain({ type, pattern, enum: options, const: constant }: Part): boolean {
  return (
    type === "integer" ||
    type === "number" ||
    type === "boolean" ||
    (type === "string" && (pattern !== undefined || options !== undefined || constant !== undefined))
  );
}

/** The same schema, that also takes a parameter in the place of each value. */
function withParameters(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withParameters);
  if (!isPart(schema)) return schema;
  if (isPlain(schema)) {
    const { description, default: usual, ...value } = schema;
    const told = {
      ...(description === undefined ? {} : { description }),
      ...(usual === undefined ? {} : { default: usual }),
    };
    return { anyOf: [value, REFERENCE], ...told };
  }
  return Object.fromEntries(
    Object.entries(schema).map(([key, inner]) => [key, key === "propertyNames" ? inner : withParameters(inner)]),
  );
}

/**
 * The JSON Schema of scenario files, for editors. Schemas that have an id are its definitions, all others are written
 * where they are used: a new fault or key changes nothing else.
 */
export function scenarioJsonSchema(): unknown {
  const schema = z.toJSONSchema(Scenario, {
    io: "input",
    target: "draft-7",
    unrepresentable: "any",
    reused: "inline",
  }) as Part;
  const { definitions, ...rest } = withParameters(schema) as Part;
  return {
    title: "Upkeep scenario",
    ...rest,
    definitions: {
      ...(isPart(definitions) ? definitions : {}),
      [PARAMETER]: { type: "string", pattern: "\\$\\{.*\\}", description: `The value of a parameter: \${name}` },
    },
  };
}

/** As it is written to a file. */
export function scenarioJsonSchemaText(): string {
  return `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`;
}
