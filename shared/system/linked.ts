/**
 * A controller whose signal is aborted together with another one too, with that one's reason.
 *
 * Not `AbortSignal.any`: such a signal is kept as long as anybody listens to it, whatever became of those who
 * made it, and the other one may live as long as the program. Here {@link release} takes off what hangs on it.
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

  /** No longer follow the other signal: to be called when what the signal was made for is over. */
  release(): void {
    this.#other?.removeEventListener("abort", this.#follow);
  }
}
