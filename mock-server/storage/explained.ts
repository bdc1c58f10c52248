import { isSystemError } from "@upkeep/shared/system";
import { nodeVersion } from "../system/environment.ts";
import { DataDirectoryError } from "./data-directory-error.ts";
import { type StorageFaultKind, storageFaultOf } from "./faults.ts";

const STORAGE: Readonly<Record<StorageFaultKind, string>> = {
  full: "no space left on the disk",
  "read-only": "the file system or the file is read-only",
  unreachable: "the database cannot be reached",
  failing: "it cannot be read or written",
  "not-a-database": "it is not a database, or is damaged",
  unsuitable: "the database cannot be used",
};

/** By the code of PostgreSQL (SQLSTATE), or the beginning of it. */
const REFUSALS: readonly (readonly [code: string, text: string])[] = [
  ["28", "PostgreSQL does not let this user in; the password may stand in PGPASSWORD"],
  ["3D000", "there is no such database"],
  ["42501", "this user may not do that in the database: let it create tables in its schema"],
];

/**
 * What a person is told of an error that is no mistake in the program, in one line; `undefined`: it may be one.
 */
export function explained(error: unknown): string | undefined {
  if (error instanceof DataDirectoryError) return error.message;
  const fault = storageFaultOf(error);
  if (fault !== undefined) return `${STORAGE[fault.kind]} (${oneLine(fault.reason)})`;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const text = explainedOne(cause);
    if (text !== undefined) return text;
  }
  return undefined;
}

function explainedOne(error: Error): string | undefined {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (/NODE_MODULE_VERSION|Could not locate the bindings file|invalid ELF header/.test(error.message)) {
    return `better-sqlite3 is ${compiledFor(error.message)}, and this is Node ${nodeVersion()}: run \`npm rebuild better-sqlite3\`, or use the version that installed it`;
  }
  const refusal = REFUSALS.find(([beginning]) => /^[0-9A-Z]{5}$/.test(code) && code.startsWith(beginning));
  if (refusal !== undefined) return `${refusal[1]} (${oneLine(error.message)})`;
  return isSystemError(error) ? oneLine(error.message) : undefined;
}

/** Node's major version by NODE_MODULE_VERSION, the number of its interface for native modules. */
const NODE_OF: Readonly<Record<string, number>> = { 108: 18, 115: 20, 127: 22, 137: 24, 141: 25 };

function compiledFor(message: string): string {
  const [, version = ""] = /was compiled against .*?NODE_MODULE_VERSION (\d+)/s.exec(message) ?? [];
  const node = NODE_OF[version];
  return node === undefined ? "not compiled for this version of Node" : `compiled for Node ${node}`;
}

export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").trim();
}
