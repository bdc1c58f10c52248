import type * as z from "zod/mini";
import { jsonShape } from "../text/index.ts";
import { ArtifactError, type ArtifactFault } from "./errors.ts";
import { ARTIFACT_LIMITS } from "./limits.ts";
import { quoted } from "./names.ts";
import { MetaData } from "./schemas.ts";

/** Faults that one message lists. */
const FAULTS_MAX = 5;
const KEY_CHARACTERS_MAX = 60;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Checked before the text is parsed, so that a small text cannot cost much time or memory. */
function checkShape(bytes: Uint8Array, what: string, valuesMax: number): void {
  const { depth, separators } = jsonShape(bytes);
  const { jsonDepthMax } = ARTIFACT_LIMITS;
  if (depth > jsonDepthMax) {
    throw new ArtifactError("too-large", `${what}: it is nested ${depth} levels deep, the limit is ${jsonDepthMax}`);
  }
  if (separators >= valuesMax) {
    throw new ArtifactError("too-large", `${what}: it has more than ${valuesMax} values`);
  }
}

function parse(bytes: Uint8Array, what: string, code: ArtifactFault): { text: string; value: unknown } {
  try {
    const text = utf8.decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch (cause) {
    // The parser's message may quote the input, with line breaks.
    const detail = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, " ");
    throw new ArtifactError(code, `${what} is not JSON: ${detail}`, { cause });
  }
}

/** The text of a payload's meta-data. @throws ArtifactError unless it is a JSON object. */
export function metaDataText(bytes: Uint8Array, what: string): string {
  return parseJson(bytes, MetaData, what, "meta-data-invalid", ARTIFACT_LIMITS.metaDataValuesMax).text;
}

function shortened(key: string): string {
  return key.length > KEY_CHARACTERS_MAX ? `${key.slice(0, KEY_CHARACTERS_MAX)}…` : key;
}

/** The value at a path, shortened for a message. */
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
  valuesMax: number = ARTIFACT_LIMITS.jsonValuesMax,
): { text: string; value: T } {
  checkShape(bytes, what, valuesMax);
  const { text, value } = parse(bytes, what, code);
  const result = schema.safeParse(value);
  if (result.success) return { text, value: result.data };
  const { issues } = result.error;
  const faults = issues.slice(0, FAULTS_MAX).map((issue) => {
    const path = issue.path.map((part) => shortened(String(part))).join(".");
    return `${path === "" ? "" : `${path} `}${issue.message}, but is ${found(value, issue.path)}`;
  });
  const more = issues.length > FAULTS_MAX ? `; and ${issues.length - FAULTS_MAX} more faults` : "";
  throw new ArtifactError(code, `${what}: ${faults.join("; ")}${more}`);
}
