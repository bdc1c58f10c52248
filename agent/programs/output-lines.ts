/** Limits of the output of one program in a log. */
export const OUTPUT_LIMITS = {
  lineCharactersMax: 4096,
  /** Of both streams of a run together. */
  totalCharactersMax: 1024 * 1024,
} as const;

/**
 * Splits the output of a program into lines. Long lines are truncated; when a run exceeds its limit, one line says so and
 * the rest is dropped.
 */
export class OutputLines {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  readonly #budget: { left: number };
  #line = "";
  #cut = false;

  /** @param budget Characters that the streams of one run may still log, shared by them. */
  constructor(onLine: (line: string) => void, budget = { left: OUTPUT_LIMITS.totalCharactersMax as number }) {
    this.#onLine = onLine;
    this.#budget = budget;
  }

  write(data: Uint8Array): void {
    this.#take(this.#decoder.decode(data, { stream: true }));
  }

  /** Log the rest that has no line feed. */
  end(): void {
    this.#take(this.#decoder.decode());
    if (this.#line !== "") this.#pass();
  }

  #take(text: string): void {
    let from = 0;
    for (let feed = text.indexOf("\n"); feed >= 0; feed = text.indexOf("\n", from)) {
      this.#append(text.slice(from, feed));
      this.#pass();
      from = feed + 1;
    }
    this.#append(text.slice(from));
  }

  #append(text: string): void {
    if (this.#cut) return;
    const room = OUTPUT_LIMITS.lineCharactersMax - this.#line.length;
    this.#cut = text.length > room;
    this.#line += this.#cut ? `${text.slice(0, room)} (line cut short)` : text;
  }

  #pass(): void {
    const line = this.#line.endsWith("\r") ? this.#line.slice(0, -1) : this.#line;
    this.#line = "";
    this.#cut = false;
    if (this.#budget.left <= 0) return;
    this.#budget.left -= line.length + 1;
    this.#onLine(this.#budget.left > 0 ? line : "(more output than is kept: the rest of it is dropped)");
  }
}
