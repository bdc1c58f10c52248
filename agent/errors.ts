/** An error of the agent that a person can act on. `code` is stable; the message names what was wrong. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  /** Stable name of the fault, such as `device-type-mismatch`. */
  readonly code: string;
  /** True if the same attempt may succeed later without anything being changed. */
  readonly retryable: boolean;
  /** How long the server asked us to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    message: string,
    options: ErrorOptions & { readonly retryable?: boolean; readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}
