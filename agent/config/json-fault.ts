/**
 * Where a text stops being JSON. Node tells it only for some faults, and not the same way in every release.
 */

const SPACE = /[ \t\r\n]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids exactly these in its strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

class Scanner {
  readonly #text: string;
  #at = 0;
  /** The furthest place at which something else was needed. */
  fault: number | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #character(character: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #refuse(): boolean {
    this.#take(SPACE);
    this.fault ??= this.#at;
    return false;
  }

  /** Members or elements up to `end`, each read by `one`. */
  #list(end: string, one: () => boolean): boolean {
    if (this.#character(end)) return true;
    do {
      if (!one()) return false;
    } while (this.#character(","));
    return this.#character(end) || this.#refuse();
  }

  #member(): boolean {
    this.#take(SPACE);
    if (!this.#take(STRING) || !this.#character(":")) return this.#refuse();
    return this.#value();
  }

  #value(): boolean {
    if (this.#character("{")) return this.#list("}", () => this.#member());
    if (this.#character("[")) return this.#list("]", () => this.#value());
    return this.#take(STRING) || this.#take(SCALAR) || this.#refuse();
  }

  document(): void {
    if (this.#value()) {
      this.#take(SPACE);
      if (this.#at < this.#text.length) this.fault = this.#at;
    }
  }
}

/** Line and column (from 1) at which `text` stops being JSON; `undefined` if it is JSON. */
export function locateJsonFault(text: string): { readonly line: number; readonly column: number } | undefined {
  const scanner = new Scanner(text);
  scanner.document();
  if (scanner.fault === undefined) return undefined;
  const lines = text.slice(0, scanner.fault).split("\n");
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}
