import type { JsonSchema } from "./schemas.ts";

const DEVICE = "ab7c2d7e-5a1c-4d0e-9d3b-6f0b8d1f4c21";
const DEPLOYMENT = "5e0a6d5c-3f0e-4c0c-8f0a-2f6f2f0a8d11";
const TIME = "2027-03-01T12:00:00Z";
const PUBLIC_KEY = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`;

/** Values that mean something, by the name of the field or parameter; each must fit the schema where it is used. */
const BY_NAME: Readonly<Record<string, unknown>> = {
  address: "192.0.2.7",
  artifact_name: "release-2",
  attribute: "mac",
  created: TIME,
  created_after: "1772323200",
  created_before: "1772409600",
  created_ts: TIME,
  current_password: "the old long password",
  deployment: DEPLOYMENT,
  deployment_id: DEPLOYMENT,
  deployment_ids: [DEPLOYMENT],
  description: "adds the new sensor",
  device: DEVICE,
  device_type: "my-board",
  device_types_compatible: ["my-board"],
  email: "operator@example.com",
  expire: TIME,
  finished: TIME,
  group: "field",
  id: DEVICE,
  id_data: '{"mac":"02:00:5e:00:53:01"}',
  identity_data: { mac: "02:00:5e:00:53:01" },
  level: "info",
  message: "the artifact is installed",
  modified: TIME,
  Modified: TIME,
  Name: "release-2",
  notes: "adds the new sensor",
  order: "asc",
  page: 1,
  password: "a new long password",
  per_page: 20,
  pubkey: PUBLIC_KEY,
  roles: ["RBAC_ROLE_PERMIT_ALL"],
  scope: "inventory",
  start_ts: TIME,
  started: TIME,
  substate: "ArtifactInstall",
  timestamp: TIME,
  ts: TIME,
  updated_ts: TIME,
  uri: "https://updates.example.com/api/devices/v1/deployments/download/artifact/5e0a6d5c-3f0e-4c0c-8f0a-2f6f2f0a8d11",
  value_prefix: "02:00:5e:",
};

/** Only a schema that contains itself is deeper. */
const DEPTH_MAX = 30;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fits(value: unknown, { type, enum: choices, items }: JsonSchema): boolean {
  if (Array.isArray(choices)) return choices.includes(value);
  if (type === "string") return typeof value === "string";
  if (type === "integer" || type === "number") return typeof value === "number";
  if (type === "array") {
    return Array.isArray(value) && value.every((one) => !isObject(items) || fits(one, items));
  }
  if (type === "object") return isObject(value);
  return type === undefined;
}

/**
 * A value that a schema describes.
 * @param fields `required`: of an object only those fields, as in a short request.
 * @param name Of the field that has the value.
 */
export function exampleOf(schema: JsonSchema, fields: "all" | "required", name = "", depth = 0): unknown {
  const { anyOf, oneOf, allOf, default: otherwise } = schema;
  for (const choices of [anyOf, oneOf, allOf]) {
    const [choice] = Array.isArray(choices) ? choices.filter(isObject) : [];
    if (choice !== undefined) return exampleOf(choice, fields, name, depth + 1);
  }
  if (schema.const !== undefined) return schema.const;
  const named = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  if (named !== undefined && fits(named, schema)) return named;
  if (otherwise !== undefined) return otherwise;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if (Array.isArray(schema.examples)) return schema.examples[0];
  return depth > DEPTH_MAX ? null : exampleOfType(schema, fields, name, depth);
}

function exampleOfType(schema: JsonSchema, fields: "all" | "required", name: string, depth: number): unknown {
  switch (schema.type) {
    case "object":
      return exampleObject(schema, fields, depth);
    case "array":
      return isObject(schema.items) ? [exampleOf(schema.items, fields, name, depth + 1)] : [];
    case "integer":
    case "number":
      return typeof schema.minimum === "number" ? Math.max(schema.minimum, 1) : 1;
    case "boolean":
      return true;
    case "string":
      return exampleText(schema, name);
    case "null":
      return null;
    default:
      return "release-2";
  }
}

function exampleText({ format }: JsonSchema, name: string): string {
  if (format === "date-time") return TIME;
  if (format === "uuid" || format === "guid") return DEVICE;
  return name === "" || name === "name" ? "release-2" : name;
}

function exampleObject(schema: JsonSchema, fields: "all" | "required", depth: number): unknown {
  const { properties, required, additionalProperties } = schema;
  const names = Array.isArray(required) ? required : [];
  const entries = Object.entries(isObject(properties) ? properties : {}).filter(
    ([name, property]) => isObject(property) && (fields === "all" || names.includes(name)) && !isNotLookedAt(property),
  );
  if (entries.length === 0 && isObject(additionalProperties)) {
    return { key: exampleOf(additionalProperties, fields, "value", depth + 1) };
  }
  return Object.fromEntries(
    entries.map(([name, property]) => [name, exampleOf(isObject(property) ? property : {}, fields, name, depth + 1)]),
  );
}

/** See `ignored` and `onlyFalse` in validation.ts. */
function isNotLookedAt(schema: unknown): boolean {
  return isObject(schema) && /^(Not looked at|Only false)/.test(String(schema.description));
}
