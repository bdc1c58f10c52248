import * as z from "zod";

/** A JSON schema (2020-12, which is what OpenAPI 3.1 uses). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * What a schema takes (`input`) or gives (`output`), for readers of the document. What only code can check is
 * left out of it.
 */
export function jsonSchema(schema: z.core.$ZodType, io: "input" | "output"): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    target: "draft-2020-12",
    override: ({ jsonSchema: made }) => nameKeys(made),
  });
  return rest;
}

/** A record of known keys, such as counters by status, becomes an object with these: clients are generated of them. */
function nameKeys(schema: z.core.JSONSchema.BaseSchema): void {
  const { propertyNames, additionalProperties } = schema;
  if (!isObject(propertyNames) || !Array.isArray(propertyNames.enum)) return;
  const keys = propertyNames.enum.map(String);
  schema.properties = Object.fromEntries(keys.map((key) => [key, additionalProperties ?? {}]));
  schema.additionalProperties = false;
  delete schema.propertyNames;
}

/** One property of an object that describes parameters. */
export interface Parameter {
  readonly name: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The parameters that an object schema names; `additional`: it takes others as well. */
export function parametersOf(schema: z.core.$ZodType): { parameters: readonly Parameter[]; additional: boolean } {
  const { properties = {}, required = [], additionalProperties } = jsonSchema(schema, "input");
  const names = Array.isArray(required) ? required : [];
  const parameters = Object.entries(isObject(properties) ? properties : {}).map(([name, property]) => ({
    name,
    required: names.includes(name),
    schema: isObject(property) ? property : {},
  }));
  return { parameters, additional: isObject(additionalProperties) };
}
