/** A failed call through the door. `code` is the platform's error code, such as `ENOSPC`. */
export class SystemError extends Error {
  override readonly name: string = "SystemError";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** True if `error` is a SystemError, and one of `codes` if any are given. */
export function isSystemError(error: unknown, ...codes: string[]): error is SystemError {
  return error instanceof SystemError && (codes.length === 0 || codes.includes(error.code));
}
