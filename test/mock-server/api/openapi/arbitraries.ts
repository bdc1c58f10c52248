import type { Operation, OperationParameter } from "../../../../mock-server/api/openapi/document.ts";
import { fc } from "../../../support/fast-check.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Text that has broken programs before. */
const HOSTILE_TEXTS = [
  "",
  "\0",
  "\ud800",
  "‮abc",
  "../../../../etc/passwd",
  "..%2f..%2fetc%2fpasswd",
  "%00",
  "%zz",
  "' OR 1=1 --",
  '"; DROP TABLE devices; --',
  "$where",
  "__proto__",
  "constructor",
  "toString",
  "(a+)+$",
  "^(([a-z])+.)+[A-Z]([a-z])+$",
  "{{7*7}}",
  "<script>alert(1)</script>",
  "a\r\nSet-Cookie: b=c",
  "*",
  "\\*",
  "[eq:",
  "me",
  "NaN",
  "-1",
  "1e400",
  "9".repeat(40),
  "0x10",
  "true",
  "null",
  "a".repeat(5000),
];

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

const HOSTILE_VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  [],
  {},
  [[]],
  [null],
  Array.from({ length: 600 }, () => "x"),
  nested(60),
  nested(500),
  { __proto__x: 1, constructor: { prototype: {} }, $where: "1" },
  JSON.parse('{"__proto__": {"admin": true}}'),
  Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`key${n}`, n])),
];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.string({ unit: "binary" }),
);
const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom(...HOSTILE_VALUES),
  fc.jsonValue({ maxDepth: 3 }),
);

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function number(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

function textOf(schema: Schema, known: readonly string[]): fc.Arbitrary<string> {
  const options: fc.Arbitrary<string>[] = [fc.constantFrom(...known), fc.string({ maxLength: 20 })];
  if (typeof schema.format === "string" && ["uuid", "guid"].includes(schema.format)) options.push(fc.uuid());
  if (schema.format === "date-time") {
    options.push(fc.date({ noInvalidDate: true }).map((date) => date.toISOString()));
  }
  if (typeof schema.pattern === "string" && schema.pattern.length < 100) {
    options.push(fc.stringMatching(new RegExp(schema.pattern, "u")));
  }
  return fc.oneof(...options);
}

/**
 * Values that a schema of the document describes.
 * @param known Texts that mean something to the server: ids, names, statuses.
 */
export function valid(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...list(schema.enum));
  const choices = [...list(schema.anyOf), ...list(schema.oneOf)].filter(isSchema);
  if (choices.length > 0) return fc.oneof(...choices.map((choice) => valid(choice, known)));
  switch (schema.type) {
    case "string":
      return textOf(schema, known);
    case "integer":
      return fc.integer({
        min: Math.max(number(schema.minimum, -10), -(2 ** 31)),
        max: Math.min(number(schema.maximum, 1000), 1000),
      });
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array": {
      const { items } = schema;
      const minLength = number(schema.minItems, 0);
      return fc.array(isSchema(items) ? valid(items, known) : fc.jsonValue({ maxDepth: 1 }), {
        minLength,
        maxLength: minLength + 3,
      });
    }
    case "object":
      return object(schema, known);
    default:
      return fc.oneof(fc.constantFrom(...known), fc.jsonValue({ maxDepth: 2 }));
  }
}

function object(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  const properties = isSchema(schema.properties) ? schema.properties : {};
  const entries = Object.entries(properties).flatMap(([name, property]) =>
    isSchema(property) ? [[name, valid(property, known)] as const] : [],
  );
  const requiredKeys = list(schema.required).filter((name) => typeof name === "string");
  const named = fc.record(Object.fromEntries(entries), { requiredKeys });
  if (!isSchema(schema.additionalProperties)) return named;
  const more = fc.dictionary(
    fc.oneof(fc.constantFrom(...known), fc.string({ maxLength: 8 })),
    valid(schema.additionalProperties, known),
    {
      maxKeys: 3,
    },
  );
  return fc.tuple(named, more).map(([one, other]) => ({ ...other, ...(one as object) }));
}

/** A value with one thing in it that should not be there. */
function spoilt(schema: Schema, known: readonly string[]): fc.Arbitrary<unknown> {
  const properties = isSchema(schema.properties) ? Object.keys(schema.properties) : [];
  if (properties.length === 0) return hostileValue;
  return fc.oneof(
    hostileValue,
    fc
      .tuple(valid(schema, known), fc.constantFrom(...properties), fc.option(hostileValue, { nil: undefined }))
      .map(([value, name, replacement]) => ({ ...(value as object), [name]: replacement })),
  );
}

/** What is sent. */
export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | undefined;
}

function parameterText(parameter: OperationParameter, known: readonly string[]): fc.Arbitrary<string> {
  const plain = valid(parameter.schema, known).map((value) =>
    typeof value === "string" ? value : JSON.stringify(value),
  );
  return fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: hostileText });
}

/** As clients encode it; a lone surrogate cannot be encoded. */
function encoded(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, "?"));
}

function url(path: string, parameters: readonly OperationParameter[], known: readonly string[]): fc.Arbitrary<string> {
  const values = fc.record(
    Object.fromEntries(parameters.map((parameter) => [parameter.name, parameterText(parameter, known)])),
    { requiredKeys: parameters.filter(({ required }) => required).map(({ name }) => name) },
  );
  const unknown = fc.constantFrom(...Array.from({ length: 9 }, () => []), ["unknown_parameter=1"]);
  return fc.tuple(values, unknown).map(([chosen, more]) => {
    const given: Readonly<Record<string, string | undefined>> = chosen;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encoded(given[name] || "x"));
    const query = parameters
      .filter((parameter) => parameter.in === "query" && given[parameter.name] !== undefined)
      .map(({ name }) => `${name}=${encoded(given[name] ?? "")}`)
      .concat(more);
    return query.length === 0 ? filled : `${filled}?${query.join("&")}`;
  });
}

const BOUNDARY = "boundary";

function multipartBody(schema: Schema, known: readonly string[]): fc.Arbitrary<string> {
  const names = isSchema(schema.properties) ? Object.keys(schema.properties) : [];
  const part = fc.tuple(
    fc.oneof(fc.constantFrom(...names), hostileText),
    fc.oneof(fc.constantFrom(...known), fc.integer({ min: 0 }).map(String), hostileText),
  );
  const ending = fc.constantFrom(`--${BOUNDARY}--\r\n`, `--${BOUNDARY}\r\n`, "", `--${BOUNDARY}--`);
  return fc
    .tuple(fc.array(part, { maxLength: 6 }), ending)
    .map(
      ([parts, end]) =>
        parts
          .map(
            ([name, content]) =>
              `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`,
          )
          .join("") + end,
    );
}

function withUnknownField(value: unknown): unknown {
  return isSchema(value) ? { ...value, unknown_field: true } : value;
}

const NO_BODY = fc.constant({ body: undefined, type: undefined });

function body(
  operation: Operation,
  known: readonly string[],
): fc.Arbitrary<{ body: string | undefined; type: string | undefined }> {
  const content = operation.requestBody?.content ?? {};
  const json = content["application/json"];
  const multipart = content["multipart/form-data"];
  if (json !== undefined) {
    const sent = fc.oneof(
      { weight: 3, arbitrary: valid(json.schema, known).map((value) => JSON.stringify(value)) },
      { weight: 3, arbitrary: spoilt(json.schema, known).map((value) => JSON.stringify(value) ?? "") },
      { weight: 1, arbitrary: valid(json.schema, known).map((value) => JSON.stringify(withUnknownField(value))) },
      { weight: 1, arbitrary: fc.oneof(hostileText, fc.constant("[".repeat(20_000)), fc.constant('{"a":')) },
    );
    return fc.oneof({ weight: 9, arbitrary: sent.map((text) => ({ body: text, type: "application/json" })) }, NO_BODY);
  }
  if (multipart !== undefined) {
    const type = fc.constantFrom(
      `multipart/form-data; boundary=${BOUNDARY}`,
      "multipart/form-data",
      "multipart/mixed; boundary=",
    );
    return fc
      .tuple(multipartBody(multipart.schema, known), type)
      .map(([text, chosen]) => ({ body: text, type: chosen }));
  }
  if (content["application/octet-stream"] !== undefined) {
    return hostileText.map((text) => ({ body: text, type: "application/octet-stream" }));
  }
  return NO_BODY;
}

const HEADERS = fc.dictionary(
  fc.constantFrom(
    "if-match",
    "if-none-match",
    "range",
    "x-men-requestid",
    "x-men-signature",
    "cookie",
    "last-event-id",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-for",
  ),
  fc
    .oneof(hostileText, fc.constantFrom("*", '"1"', "bytes=0-", "bytes=5-1", "JWT=a.b.c", "17"))
    .map((text) => text.replace(/[^\x21-\x7e]/g, "").slice(0, 300)),
  { maxKeys: 2 },
);

/** Requests of an operation: such as it asks for, and such as nobody should send. */
export function requests(
  path: string,
  method: string,
  operation: Operation,
  known: readonly string[],
): fc.Arbitrary<Request> {
  const where = url(path, operation.parameters ?? [], known);
  return fc.tuple(where, body(operation, known), HEADERS).map(([chosen, { body: text, type }, headers]) => ({
    method: method.toUpperCase(),
    url: chosen,
    headers: { ...headers, ...(type === undefined ? {} : { "content-type": type }) },
    body: text,
  }));
}
