import * as z from "zod/mini";
import { ZodMiniObject, ZodMiniRecord } from "zod/mini";
// Not by way of z.core, which a bundle would take in as a whole.
import { $constructor, $ZodAsyncError, util } from "zod/v4/core";

/**
 * Schemas of objects whose keys come from outside. zod's own drop the key `__proto__` without a word; a device may
 * provide it, and an artifact may depend on it.
 */

const PROTO = "__proto__";

function hasProto(value: unknown): value is Readonly<Record<typeof PROTO, unknown>> {
  return typeof value === "object" && value !== null && Object.hasOwn(value, PROTO);
}

/**
 * Makes a schema of an object keep the key `__proto__`. To be called in the initialiser of a zod type, so that copies of
 * the schema, which checks are added to, do the same.
 * @param valueType The schema of values without a key of their own; synchronous.
 */
export function keepProto(schema: z.core.$ZodType, valueType: z.core.$ZodType | undefined): void {
  if (valueType === undefined) return;
  const parse = schema._zod.parse;
  schema._zod.parse = (payload, context) => {
    const input = payload.value;
    const result = parse(payload, context);
    if (result instanceof Promise || !hasProto(input) || result.value === input) return result;
    const found = valueType._zod.run({ value: input[PROTO], issues: [] }, context);
    if (found instanceof Promise) throw new $ZodAsyncError();
    result.issues.push(...util.prefixIssues(PROTO, found.issues));
    // Not an assignment, which would replace the prototype.
    Object.defineProperty(result.value, PROTO, {
      value: found.value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
    return result;
  };
}

const EveryKeyRecord = $constructor<z.ZodMiniRecord>("EveryKeyRecord", (schema, def) => {
  ZodMiniRecord.init(schema, def);
  keepProto(schema, def.valueType);
});

const EveryKeyObject = $constructor<z.ZodMiniObject>("EveryKeyObject", (schema, def) => {
  ZodMiniObject.init(schema, def);
  keepProto(schema, def.catchall);
});

/** An object with any keys. @param error For a value that is no object. */
export function recordOf<Value extends z.core.$ZodType>(
  valueType: Value,
  error?: string,
): z.ZodMiniRecord<z.ZodMiniString, Value> {
  const given = error === undefined ? {} : { error: () => error };
  // The types of zod's constructors have no parameters.
  return new EveryKeyRecord({ type: "record", keyType: z.string(), valueType, ...given }) as z.ZodMiniRecord<
    z.ZodMiniString,
    Value
  >;
}

/** An object with some known keys, and any others. */
export function objectWithOthers<Shape extends z.core.$ZodLooseShape, Others extends z.core.$ZodType>(
  shape: Shape,
  others: Others,
): z.ZodMiniObject<Shape, z.core.$catchall<Others>> {
  return new EveryKeyObject({ type: "object", shape, catchall: others }) as z.ZodMiniObject<
    Shape,
    z.core.$catchall<Others>
  >;
}
