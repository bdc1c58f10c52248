/** What kind of mistake it was, and so which HTTP status tells it. */
const HTTP_STATUS = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  "precondition-failed": 412,
  "too-large": 413,
  unprocessable: 422,
} as const;

export type ErrorKind = keyof typeof HTTP_STATUS;

/**
 * A request that the server refuses; the message may be shown to whoever asked.
 * Anything else that is thrown is a fault of the server and tells the outside nothing.
 */
export class ServerError extends Error {
  override readonly name: string = "ServerError";
  readonly kind: ErrorKind;
  /** More for programs, sent beside the message: for example which artifact is in the way. */
  readonly metadata: Readonly<Record<string, unknown>> | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    options: ErrorOptions & { readonly metadata?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.metadata = options.metadata;
  }

  /** The HTTP status that tells this kind of error. */
  get status(): number {
    return HTTP_STATUS[this.kind];
  }
}

/** 400: a value is not what it must be. */
export function invalid(message: string, options?: ErrorOptions): ServerError {
  return new ServerError("invalid", message, options);
}

/** 401: whoever asks is not known, not accepted, or no longer so. */
export function unauthorized(message = "unauthorized"): ServerError {
  return new ServerError("unauthorized", message);
}

/** 403: whoever asks is known, and may not. */
export function forbidden(message = "forbidden"): ServerError {
  return new ServerError("forbidden", message);
}

/** 404. */
export function notFound(message = "Resource not found"): ServerError {
  return new ServerError("not-found", message);
}

/** 409: it does not go together with what is already there. */
export function conflict(message: string, metadata?: Readonly<Record<string, unknown>>): ServerError {
  return new ServerError("conflict", message, metadata === undefined ? {} : { metadata });
}

/** 412: it is not any more what the request says that it must be. */
export function preconditionFailed(message: string): ServerError {
  return new ServerError("precondition-failed", message);
}

/** 413. */
export function tooLarge(message: string): ServerError {
  return new ServerError("too-large", message);
}

/** 422: well formed, and still impossible. */
export function unprocessable(message: string): ServerError {
  return new ServerError("unprocessable", message);
}
