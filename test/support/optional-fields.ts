import * as z from "zod";

/** A field of an object that may be absent. */
export interface OptionalField {
  /** Names from the root; `[]` stands for the items of a list or a record. */
  readonly path: string;
  readonly schema: z.core.$ZodType;
}

/** Every field in a schema, at any depth, that may be absent. */
export function optionalFields(schema: z.core.$ZodType, path = ""): readonly OptionalField[] {
  if (schema instanceof z.core.$ZodObject) {
    return Object.entries(schema._zod.def.shape).flatMap(([name, field]) => {
      const at = path === "" ? name : `${path}.${name}`;
      const own = field._zod.optin === undefined ? [] : [{ path: at, schema: field }];
      return [...own, ...optionalFields(field, at)];
    });
  }
  return innerSchemas(schema).flatMap(([inner, step]) => optionalFields(inner, path + step));
}

function innerSchemas(schema: z.core.$ZodType): readonly (readonly [z.core.$ZodType, string])[] {
  if (schema instanceof z.core.$ZodArray) return [[schema._zod.def.element, "[]"]];
  if (schema instanceof z.core.$ZodRecord) return [[schema._zod.def.valueType, "[]"]];
  if (schema instanceof z.core.$ZodUnion) return schema._zod.def.options.map((option) => [option, ""] as const);
  if (schema instanceof z.core.$ZodPipe) {
    const { in: before, out } = schema._zod.def;
    return [before, out].map((one) => [one, ""] as const);
  }
  if (
    schema instanceof z.core.$ZodOptional ||
    schema instanceof z.core.$ZodNullable ||
    schema instanceof z.core.$ZodDefault
  ) {
    return [[schema._zod.def.innerType, ""]];
  }
  return [];
}

/** Paths of the optional fields that refuse `null`. */
export function refusingNull(schema: z.core.$ZodType): readonly string[] {
  return optionalFields(schema).flatMap((field) => (z.core.safeParse(field.schema, null).success ? [] : [field.path]));
}
