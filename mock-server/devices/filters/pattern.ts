import { RE2JS } from "re2js";
import { invalid } from "../../errors.ts";
import { patternSize } from "./pattern-size.ts";

/** A pattern that takes time in proportion to the text and to its own size, whatever it says. */
export interface Pattern {
  /** True if it is found anywhere in the text's first 4,096 characters. */
  isIn(text: string): boolean;
}

const LENGTH_MAX = 1024;
/** Steps with the repeats written out. Much more than what people write, and a text is still looked at at once. */
const SIZE_MAX = 500;
/** Of a text that is longer only the beginning is looked at. */
const TEXT_LENGTH_MAX = 4096;
/** Patterns that are kept compiled. */
const REMEMBERED_MAX = 500;
const compiled = new Map<string, Pattern>();

/** @throws DomainError (invalid) if it is no pattern, is too large, or asks for what takes more than linear time. */
export function checkPattern(source: string, path: string): void {
  if (source.length > LENGTH_MAX) throw invalid(`${path}: a pattern has at most ${LENGTH_MAX} characters`);
  const size = patternSize(source);
  if (size > SIZE_MAX) {
    throw invalid(`${path}: has ${size} steps once its repeats are written out; a pattern has at most ${SIZE_MAX}`);
  }
  try {
    patternOf(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(`${path}: is no regular expression: ${reason}`, { cause: error });
  }
}

/** Back references and look-around are not known. `(?i)` in front makes it ignore case. */
export function patternOf(source: string): Pattern {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  const engine = RE2JS.compile(source);
  const pattern: Pattern = { isIn: (text) => engine.matcher(text.slice(0, TEXT_LENGTH_MAX)).find() };
  const [oldest] = compiled.keys();
  if (compiled.size >= REMEMBERED_MAX && oldest !== undefined) compiled.delete(oldest);
  compiled.set(source, pattern);
  return pattern;
}
