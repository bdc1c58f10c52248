import { DomainError } from "../errors.ts";
import { type StorageFaultKind, storageFaultOf } from "../storage/index.ts";
import type { HeaderFields } from "./answers.ts";
import { domainRefusal } from "./domain-refusals.ts";

/** A refusal that concerns HTTP only; the domain does not know it. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly headers: HeaderFields;

  constructor(status: number, message: string, headers: HeaderFields = {}, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.headers = headers;
  }
}

/** An error as the client is told. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly headers?: HeaderFields;
}

/** Error codes of a connection that closes while a body is read. */
const BROKEN_OFF = ["ECONNRESET", "ECONNABORTED", "ERR_STREAM_PREMATURE_CLOSE"];

function propertyOf(error: unknown, name: "code" | "statusCode"): unknown {
  return error instanceof Error && name in error ? (error as Error & Record<typeof name, unknown>)[name] : undefined;
}

/** @returns `undefined` for a fault of the server, whose details clients must not see. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof HttpError) return { status: error.status, message: error.message, headers: error.headers };
  if (error instanceof DomainError) return domainRefusal(error);
  const fault = storageFaultOf(error);
  if (fault !== undefined) return storageRefusal(fault.kind);
  if (BROKEN_OFF.includes(String(propertyOf(error, "code")))) {
    return { status: 400, message: "the request's body ended early" };
  }
  return frameworkRefusal(error);
}

/** An operator may have to free space: a short delay would not help. */
const STORAGE_RETRY_S = 60;

const STORAGE_MESSAGES: Readonly<Record<StorageFaultKind, string>> = {
  full: "no space left on the server",
  "read-only": "the server's records are read-only",
  unreachable: "the server's database cannot be reached",
  failing: "the server's records cannot be read or written",
  "not-a-database": "the server's records are damaged",
  unsuitable: "the server's database cannot be used",
};

/** The refusal for a fault of the database or of the store of the artifacts: the request may succeed later. */
export function storageRefusal(kind: StorageFaultKind): Refusal {
  const headers = { "retry-after": String(STORAGE_RETRY_S) };
  return { status: kind === "full" ? 507 : 503, message: STORAGE_MESSAGES[kind], headers };
}

/** Refusals of Fastify: an undecodable path, an unreadable media type. */
function frameworkRefusal(error: unknown): Refusal | undefined {
  const status = propertyOf(error, "statusCode");
  if (!(error instanceof Error) || typeof status !== "number" || status < 400 || status >= 500) return undefined;
  if (propertyOf(error, "code") === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return { status: 400, message: "Content-Type cannot be read" };
  }
  return { status, message: error.message };
}
