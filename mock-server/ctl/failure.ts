/** How the program ends, as its exit code. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  /** The deployment that was waited for ended with failures, or was aborted. */
  failed: 3,
  /** Not logged in, or the user's role does not allow it. */
  denied: 4,
  /** The time to wait is over, and the deployment goes on. */
  timeout: 5,
  /** Ctrl-C. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error that is printed in one line, without a stack trace. */
export class CtlError extends Error {
  override readonly name = "CtlError";
  readonly exit: ExitCode;

  constructor(message: string, exit: ExitCode = EXIT.error, options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
  }
}

/** A mistake in the command line. */
export function usage(message: string): CtlError {
  return new CtlError(message, EXIT.usage);
}
