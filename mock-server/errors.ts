import { given } from "@upkeep/shared/given";

/** The kinds of errors, independent of how a protocol tells them. */
export type ErrorKind =
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "not-found"
  | "conflict"
  | "precondition-failed"
  | "too-large"
  | "unprocessable";

/** A fault in plain words: it names the field, the value, and what would be right. */
interface Fault {
  readonly fault: string;
}

type None = Readonly<Record<never, never>>;

/** Every error that the domain reports to its callers: the code, its kind, and its details. */
interface Errors {
  "invalid-value": ["invalid", Fault];
  "invalid-deployment": ["invalid", Fault];
  "invalid-artifact-metadata": ["invalid", Fault];
  "invalid-auth-request": ["invalid", Fault];
  "undecodable-auth-request": ["invalid", Fault];
  "undecodable-public-key": ["invalid", Partial<Fault>];
  "unreadable-artifact": ["invalid", Fault & { readonly artifactFault: string }];
  "no-target-devices": ["invalid", None];
  "devices-not-accepted": ["invalid", { readonly ids: readonly string[] }];
  "empty-phase": ["invalid", { readonly number: number }];
  "auth-set-transition": ["invalid", { readonly from: string; readonly to: string }];
  "signature-missing": ["invalid", None];

  unauthorized: ["unauthorized", Partial<Fault>];
  "device-unauthorized": ["unauthorized", None];
  "wrong-signature": ["unauthorized", None];

  "role-not-allowed": ["forbidden", { readonly role: string }];

  "not-found": ["not-found", Partial<Fault>];
  "device-not-found": ["not-found", None];
  "auth-set-not-found": ["not-found", None];
  "group-not-found": ["not-found", None];
  "device-not-in-group": ["not-found", None];
  "filter-not-found": ["not-found", None];
  "release-not-found": ["not-found", None];
  "user-not-found": ["not-found", None];
  "log-not-found": ["not-found", None];
  "logged-deployment-not-found": ["not-found", None];

  "conflicting-value": ["conflict", Fault];
  "artifact-exists": [
    "conflict",
    { readonly artifactId: string; readonly artifactName: string; readonly depends: unknown },
  ];
  "artifact-id-exists": ["conflict", { readonly id: string }];
  "artifact-being-uploaded": ["conflict", { readonly id: string }];
  "artifact-in-use": ["conflict", None];
  "releases-in-use": ["conflict", { readonly deploymentIds: readonly string[] }];
  "too-many-distinct-tags": ["conflict", { readonly max: number }];
  "deployment-exists": ["conflict", { readonly id: string }];
  "preparation-in-progress": ["conflict", None];
  "provides-changed": ["conflict", None];
  "deployment-aborted": ["conflict", None];
  "device-decommissioned": ["conflict", None];
  "device-deployment-finished": ["conflict", { readonly status: string }];
  "device-deployment-not-begun": ["conflict", None];
  "device-exists": ["conflict", { readonly device: unknown }];
  "group-being-deleted": ["conflict", { readonly name: string }];
  "filter-name-taken": ["conflict", { readonly name: string }];
  "token-name-taken": ["conflict", { readonly name: string }];

  "etag-mismatch": ["precondition-failed", None];

  "too-large": ["too-large", Fault];
  "artifact-too-large": ["too-large", None];
  "file-too-large": ["too-large", None];

  "unprocessable-value": ["unprocessable", Fault];
  "artifact-was-deployed": ["unprocessable", None];
  "artifact-not-unique": ["unprocessable", None];
  "no-artifact": ["unprocessable", None];
  "deployment-finished": ["unprocessable", None];
  "deployment-not-dynamic": ["unprocessable", None];
  "no-control-map": ["unprocessable", None];
  "device-not-accepted": ["unprocessable", None];
  "device-limit-reached": ["unprocessable", None];
  "too-many-tokens": ["unprocessable", { readonly max: number }];
  "wrong-password": ["unprocessable", None];
  "email-taken": ["unprocessable", None];
  "last-admin": ["unprocessable", None];
}

export type ErrorCode = keyof Errors;
export type ErrorDetails<C extends ErrorCode = ErrorCode> = Errors[C][1];

const KINDS: { readonly [C in ErrorCode]: Errors[C][0] } = {
  "invalid-value": "invalid",
  "invalid-deployment": "invalid",
  "invalid-artifact-metadata": "invalid",
  "invalid-auth-request": "invalid",
  "undecodable-auth-request": "invalid",
  "undecodable-public-key": "invalid",
  "unreadable-artifact": "invalid",
  "no-target-devices": "invalid",
  "devices-not-accepted": "invalid",
  "empty-phase": "invalid",
  "auth-set-transition": "invalid",
  "signature-missing": "invalid",
  unauthorized: "unauthorized",
  "device-unauthorized": "unauthorized",
  "wrong-signature": "unauthorized",
  "role-not-allowed": "forbidden",
  "not-found": "not-found",
  "device-not-found": "not-found",
  "auth-set-not-found": "not-found",
  "group-not-found": "not-found",
  "device-not-in-group": "not-found",
  "filter-not-found": "not-found",
  "release-not-found": "not-found",
  "user-not-found": "not-found",
  "log-not-found": "not-found",
  "logged-deployment-not-found": "not-found",
  "conflicting-value": "conflict",
  "artifact-exists": "conflict",
  "artifact-id-exists": "conflict",
  "artifact-being-uploaded": "conflict",
  "artifact-in-use": "conflict",
  "releases-in-use": "conflict",
  "too-many-distinct-tags": "conflict",
  "deployment-exists": "conflict",
  "preparation-in-progress": "conflict",
  "provides-changed": "conflict",
  "deployment-aborted": "conflict",
  "device-decommissioned": "conflict",
  "device-deployment-finished": "conflict",
  "device-deployment-not-begun": "conflict",
  "device-exists": "conflict",
  "group-being-deleted": "conflict",
  "filter-name-taken": "conflict",
  "token-name-taken": "conflict",
  "etag-mismatch": "precondition-failed",
  "too-large": "too-large",
  "artifact-too-large": "too-large",
  "file-too-large": "too-large",
  "unprocessable-value": "unprocessable",
  "artifact-was-deployed": "unprocessable",
  "artifact-not-unique": "unprocessable",
  "no-artifact": "unprocessable",
  "deployment-finished": "unprocessable",
  "deployment-not-dynamic": "unprocessable",
  "no-control-map": "unprocessable",
  "device-not-accepted": "unprocessable",
  "device-limit-reached": "unprocessable",
  "too-many-tokens": "unprocessable",
  "wrong-password": "unprocessable",
  "email-taken": "unprocessable",
  "last-admin": "unprocessable",
};

/** A request that the domain refuses. Any other error is a fault of the server, of which callers learn nothing. */
export class DomainError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name: string = "DomainError";
  readonly code: C;
  readonly details: ErrorDetails<C>;

  constructor(code: C, ...[details, options]: ErrorArguments<C>) {
    const known: ErrorDetails<C> = details ?? {};
    super("fault" in known && known.fault !== undefined ? known.fault : code.replaceAll("-", " "), options);
    this.code = code;
    this.details = known;
  }

  get kind(): ErrorKind {
    return KINDS[this.code];
  }

  /** Narrows {@link details} to those of a code. */
  is<D extends ErrorCode>(code: D): this is DomainError<D> {
    return (this.code as ErrorCode) === code;
  }
}

/** Details may be left out of errors that need none. */
type ErrorArguments<C extends ErrorCode> =
  None extends ErrorDetails<C>
    ? [details?: ErrorDetails<C>, options?: ErrorOptions]
    : [details: ErrorDetails<C>, options?: ErrorOptions];

/** A value is not what it must be. */
export function invalid(fault: string, options?: ErrorOptions): DomainError {
  return new DomainError("invalid-value", { fault }, options);
}

/** The caller is not known, not accepted, or no longer so. */
export function unauthorized(fault?: string): DomainError {
  return new DomainError("unauthorized", given({ fault }));
}

/** @param fault Default: the thing that was asked for is not there. */
export function notFound(fault?: string): DomainError {
  return new DomainError("not-found", given({ fault }));
}

/** A value does not go together with others that are there. */
export function conflict(fault: string): DomainError {
  return new DomainError("conflicting-value", { fault });
}

export function tooLarge(fault: string): DomainError {
  return new DomainError("too-large", { fault });
}

/** A value is well formed and cannot be accepted. */
export function unprocessable(fault: string): DomainError {
  return new DomainError("unprocessable-value", { fault });
}
