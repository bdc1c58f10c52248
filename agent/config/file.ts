import { harmfulCharacter } from "@upkeep/shared/text";
import { AgentError } from "../errors.ts";
import { locateJsonFault } from "./json-fault.ts";
import { IDLE_KEYS, KEYS, type KeyFacts, type KeyName, type KeyType } from "./keys.ts";

export interface Server {
  readonly ServerURL: string;
}

type Held<T> = T extends { kind: "whole" }
  ? number
  : T extends { kind: "switch" }
    ? boolean
    : T extends { kind: "paths" | "hosts" }
      ? readonly string[]
      : T extends { kind: "servers" }
        ? readonly Server[]
        : string;

/** The values of one file, or of several laid over one another. Keys of objects are `Object.Key`. */
export type ConfigValues = { readonly [K in KeyName]?: Held<(typeof KEYS)[K]["type"]> };

export interface ConfigFile {
  readonly values: ConfigValues;
  /** For the log: keys that are not known, or known and without effect. */
  readonly warnings: readonly string[];
}

/** Objects whose keys are settings of their own. */
const GROUPS = ["HttpsClient", "Security"];

const NAMES = new Map((Object.keys(KEYS) as KeyName[]).map((name) => [name.toLowerCase(), name]));

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const HOST =
  /^\.?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$/i;

/** The paths of the API are appended to it, so it must end with a path. */
function isUrl(value: unknown): boolean {
  if (typeof value !== "string" || !/^https?:\/\/[^/]/i.test(value) || harmfulCharacter(value) !== undefined)
    return false;
  if (!URL.canParse(value) || /[?#]/.test(value)) return false;
  const { username, password } = new URL(value);
  return username === "" && password === "";
}

/** The system cannot have a path with NUL, and in the log a line break would look like another line. */
function isPath(value: unknown): boolean {
  return typeof value === "string" && value.startsWith("/") && harmfulCharacter(value) === undefined;
}

const trimmed = (value: unknown): unknown => (typeof value === "string" ? value.trim() : value);
const eachTrimmed = (value: unknown): unknown => (Array.isArray(value) ? value.map(trimmed) : value);

/** A value without blanks around what it names. A text may have them. */
function tidied(type: KeyType, value: unknown): unknown {
  switch (type.kind) {
    case "text":
    case "switch":
    case "whole":
      return value;
    case "paths":
    case "hosts":
      return eachTrimmed(value);
    case "servers":
      if (!Array.isArray(value)) return value;
      return value.map((entry) => (isRecord(entry) ? { ...entry, ServerURL: trimmed(entry.ServerURL) } : entry));
    case "path":
    case "key":
    case "cron":
    case "timezone":
    case "url":
    case "choice":
      return trimmed(value);
  }
}

/** What `type` wants to see in place of `value`; `undefined` if it fits. */
function wanted(type: KeyType, value: unknown): string | undefined {
  const unless = (fits: boolean, wish: string): string | undefined => (fits ? undefined : wish);
  switch (type.kind) {
    case "text":
    case "cron":
    case "timezone":
      return unless(typeof value === "string", "a text");
    case "path":
      return unless(value === "" || isPath(value), "an absolute path without control characters");
    case "key":
      return unless(
        value === "" || isPath(value) || (typeof value === "string" && /^pkcs11:\P{Cc}*$/u.test(value)),
        "an absolute path or a pkcs11: URI",
      );
    case "paths":
      return unless(Array.isArray(value) && value.every(isPath), "a list of absolute paths without control characters");
    case "hosts":
      return unless(
        Array.isArray(value) && value.every((entry) => typeof entry === "string" && HOST.test(entry)),
        "a list of hosts such as cdn.example.com or .example.com",
      );
    case "url":
      return unless(
        value === "" || isUrl(value),
        "a URL that starts with http:// or https:// and has no password, query or fragment",
      );
    case "servers":
      return unless(
        Array.isArray(value) && value.every((entry) => isRecord(entry) && isUrl(entry.ServerURL)),
        'a list such as [{"ServerURL": "https://updates.example.com"}]',
      );
    case "switch":
      return unless(typeof value === "boolean", "true or false");
    case "whole":
      return unless(
        Number.isInteger(value) && Number(value) >= type.least && Number(value) <= type.most,
        `a whole number from ${type.least} to ${type.most}`,
      );
    case "choice":
      return unless(type.choices.includes(String(value)), choiceWish(type, String(value)));
  }
}

function choiceWish({ choices, refused }: Extract<KeyType, { kind: "choice" }>, value: string): string {
  const why = refused?.get(value);
  return `one of ${choices.join(", ")}${why === undefined ? "" : ` (${why}, which upkeep does not have)`}`;
}

/** Settings by their full names, in the spelling of the file. */
function* settingsIn(document: Record<string, unknown>, file: string): Generator<[string, unknown]> {
  for (const [key, value] of Object.entries(document)) {
    const group = GROUPS.find((name) => name.toLowerCase() === key.toLowerCase());
    if (group === undefined) {
      yield [key, value];
      continue;
    }
    if (!isRecord(value)) throw invalid(file, key, value, "an object");
    for (const [below, inner] of Object.entries(value)) yield [`${group}.${below}`, inner];
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}

function invalid(file: string, key: string, value: unknown, wish: string): AgentError {
  return new AgentError("config-invalid", `${file}: ${key} is ${shown(value)}, but must be ${wish}`);
}

function idleReason(key: string): string | undefined {
  const lower = key.toLowerCase();
  for (const [name, reason] of Object.entries(IDLE_KEYS)) {
    const idle = name.toLowerCase();
    if (idle.endsWith(".") ? `${lower}.`.startsWith(idle) : lower === idle) return reason;
  }
  return undefined;
}

function parse(text: string, file: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    const { line, column } = locateJsonFault(text) ?? { line: 1, column: 1 };
    throw new AgentError("config-not-json", `${file}: not JSON from line ${line}, column ${column} on`, {
      cause: error,
    });
  }
  if (isRecord(document)) return document;
  throw new AgentError("config-not-json", `${file}: must hold a JSON object, but holds ${shown(document)}`);
}

/**
 * The settings in the text of a configuration file. Keys are matched without regard to case.
 * @param file Its name, for messages.
 * @throws AgentError `config-not-json` or `config-invalid`, naming file, key and value.
 */
export function parseConfigFile(text: string, file: string): ConfigFile {
  const warnings: string[] = [];
  const values: Partial<Record<KeyName, unknown>> = {};
  // Editors of some systems put a byte order mark in front.
  for (const [key, written] of settingsIn(parse(text.replace(/^\uFEFF/, ""), file), file)) {
    const name = NAMES.get(key.toLowerCase());
    if (name === undefined) {
      const reason = idleReason(key);
      warnings.push(
        reason === undefined ? `${file}: unknown key ${key} is ignored` : `${file}: ${key} has no effect: ${reason}`,
      );
      continue;
    }
    if (values[name] !== undefined) throw invalid(file, key, written, `given once (${name} is there already)`);
    const { type }: KeyFacts = KEYS[name];
    const value = tidied(type, written);
    const wish = wanted(type, value);
    if (wish !== undefined) throw invalid(file, key, written, wish);
    // An empty path, URL or engine is the reference client's way to say: not set.
    if (value === "" && (type.kind !== "text" || name.endsWith(".SSLEngine"))) continue;
    values[name] = value;
  }
  return { values: values as ConfigValues, warnings };
}
