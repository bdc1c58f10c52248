/** Bounds of what one program may put into a log. */
export const OUTPUT_LIMITS = {
  lineCharactersMax: 4096,
  /** Of one run, both streams together. */
  totalCharactersMax: 1024 * 1024,
} as const;

/**
 * Cuts what a program writes into lines, however the pieces arrive. Lines that are too long are cut
 * short; once a run has said too much, one line says so and the rest is dropped.
 */
export class OutputLines {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  readonly #budget: { left: number };
  #line = "";
  #cut = false;

  /** @param budget Shared by the streams of one run: characters that may still be passed on. */
  constructor(onLine: (line: string) => void, budget = { left: OUTPUT_LIMITS.totalCharactersMax as number }) {
    this.#onLine = onLine;
    this.#budget = budget;
  }

  write(data: Uint8Array): void {
    this.#take(this.#decoder.decode(data, { stream: true }));
  }

  /** Pass on what is left without a line feed. */
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
