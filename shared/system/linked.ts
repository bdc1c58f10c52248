/**
 * A controller whose signal also aborts when another signal does, with the other one's reason.
 *
 * `AbortSignal.any` would leak: its signal stays alive as long as it has a listener, and the source signal may live as
 * long as the program. {@link release} removes the listener on the source.
 */
export class LinkedController extends AbortController {
  readonly #other: AbortSignal | undefined;
  readonly #follow = (): void => this.abort(this.#other?.reason);

  constructor(other?: AbortSignal) {
    super();
    this.#other = other;
    if (other?.aborted) this.#follow();
    else other?.addEventListener("abort", this.#follow, { once: true });
  }

  /** Stops following the other signal. To be called when the work that uses this signal has ended. */
  release(): void {
    this.#other?.removeEventListener("abort", this.#follow);
  }
}
