import { AgentError } from "../errors.ts";

/** The exact answer of a module that accepts artifacts with unsigned parts. */
export const ACCEPTS_AUGMENTED = "YesThisModuleSupportsAugmentedArtifacts";

/** Headers that may be augmented. */
export const AUGMENTABLE = ["header-info", "type-info", "meta-data"] as const;
export type Augmentable = (typeof AUGMENTABLE)[number];

/** Which fields may be overridden: `true` for a plain value, `[true]` for a list of them, an object for its fields. */
export type Permission = true | readonly [true] | { readonly [field: string]: Permission };
export type Permissions = Readonly<Partial<Record<Augmentable, Permission>>>;

/**
 * A module's answer to PermittedAugmentedHeaders. No answer permits nothing.
 * @throws AgentError `module-answer-invalid`, naming the invalid field.
 */
export function parsePermissions(answer: string, payloadType: string): Permissions {
  const refuse = (why: string, cause?: unknown): AgentError =>
    new AgentError(
      "module-answer-invalid",
      `update module ${payloadType} answered PermittedAugmentedHeaders with what cannot be understood: ${why}`,
      { cause },
    );
  if (answer.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
  if (!isObject(value)) throw refuse("it is no object");
  for (const [name, permission] of Object.entries(value)) {
    if (!AUGMENTABLE.some((known) => known === name)) {
      throw refuse(`${JSON.stringify(name)} is none of ${AUGMENTABLE.join(", ")}`);
    }
    const fault = faultIn(permission, name);
    if (fault !== undefined) throw refuse(fault);
  }
  return value as Permissions;
}

function faultIn(permission: unknown, path: string): string | undefined {
  if (permission === true || isListPermission(permission)) return undefined;
  if (!isObject(permission)) return `${path} is ${JSON.stringify(permission)}, not true, [true] or an object of these`;
  for (const [field, inner] of Object.entries(permission)) {
    const fault = faultIn(inner, `${path}.${field}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/**
 * The field of `augmented` that differs from the original and that `permission` does not cover, with its path;
 * `undefined` if there is none.
 */
export function unpermitted(
  augmented: unknown,
  original: unknown,
  permission: unknown,
  path: string,
): string | undefined {
  if (JSON.stringify(augmented) === JSON.stringify(original)) return undefined;
  if (Array.isArray(augmented)) {
    return isListPermission(permission) && augmented.every(isPlain) ? undefined : path;
  }
  if (isObject(augmented)) {
    if (Object.keys(augmented).length === 0 && !isObject(permission)) return path;
    for (const [field, value] of Object.entries(augmented)) {
      const found = unpermitted(value, fieldOf(original, field), fieldOf(permission, field), `${path}.${field}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return permission === true ? undefined : path;
}

function fieldOf(value: unknown, field: string): unknown {
  return isObject(value) && Object.hasOwn(value, field) ? value[field] : undefined;
}

function isListPermission(value: unknown): value is readonly [true] {
  return Array.isArray(value) && value.length === 1 && value[0] === true;
}

function isPlain(value: unknown): boolean {
  return value === null || typeof value !== "object";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
