import type * as z from "zod/mini";
import { ArtifactError, type ArtifactFault } from "./errors.ts";
import { quoted } from "./names.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parse(bytes: Uint8Array, what: string, code: ArtifactFault): { text: string; value: unknown } {
  try {
    const text = utf8.decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch (cause) {
    // The text of the parser's message may have parts of the input in it, line breaks too.
    const detail = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, " ");
    throw new ArtifactError(code, `${what} is not JSON: ${detail}`, { cause });
  }
}

/** The value at a path, as it may stand in a message. */
function found(value: unknown, path: readonly PropertyKey[]): string {
  let at: unknown = value;
  for (const key of path) at = typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined;
  return at === undefined ? "absent" : quoted(JSON.stringify(at)).slice(1, -1).replaceAll('\\"', '"');
}

/**
 * JSON text that must fit a schema.
 * @param what Names the entry in messages, such as `header-info`.
 * @throws ArtifactError that names each field and the value found.
 */
export function parseJson<T>(
  bytes: Uint8Array,
  schema: z.ZodMiniType<T>,
  what: string,
  code: ArtifactFault,
): { text: string; value: T } {
  const { text, value } = parse(bytes, what, code);
  const result = schema.safeParse(value);
  if (result.success) return { text, value: result.data };
  const faults = result.error.issues.map((issue) => {
    const path = issue.path.map(String).join(".");
    return `${path === "" ? "" : `${path} `}${issue.message}, but is ${found(value, issue.path)}`;
  });
  throw new ArtifactError(code, `${what}: ${faults.join("; ")}`);
}
