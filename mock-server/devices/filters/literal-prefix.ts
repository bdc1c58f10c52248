/** Characters that mean themselves in a pattern of RE2. */
const LITERAL = /^[\p{L}\p{N} _:/@#%&=,;<>!"'~-]$/u;
/** Escaped characters that mean themselves. */
const ESCAPED = /^[.\\+*?()[\]{}^$|/:-]$/;
/** What makes the character before it optional. */
const OPTIONAL = ["*", "?", "{"];

/**
 * The text with which every match of the pattern begins at the beginning of the searched text: `ab` for `^ab+c`, empty if
 * there is none.
 */
export function literalPrefix(pattern: string): {
  readonly prefix: string;
  /** The pattern says nothing else. */
  readonly isAll: boolean;
} {
  const characters = [...pattern];
  // An alternative may begin with anything.
  if (characters[0] !== "^" || characters.includes("|")) return { prefix: "", isAll: false };
  const literal: string[] = [];
  let at = 1;
  for (;;) {
    const [one = "", next = ""] = characters.slice(at, at + 2);
    const isEscaped = one === "\\" && ESCAPED.test(next);
    if (!isEscaped && !LITERAL.test(one)) {
      if (OPTIONAL.includes(one)) literal.pop();
      return { prefix: literal.join(""), isAll: at >= characters.length };
    }
    literal.push(isEscaped ? next : one);
    at += isEscaped ? 2 : 1;
  }
}
