import { RE2JS } from "re2js";
import { invalid } from "../../errors.ts";

/** A pattern that takes time in proportion to the text, whatever it says. */
export interface Pattern {
  /** True if it is found anywhere in the text. */
  isIn(text: string): boolean;
}

const LENGTH_MAX = 1024;
/** Patterns that are kept compiled. */
const REMEMBERED_MAX = 500;
const compiled = new Map<string, Pattern>();

/** @throws ServerError (invalid) if it is no pattern, or asks for what takes more than linear time. */
export function checkPattern(source: string, path: string): void {
  if (source.length > LENGTH_MAX) throw invalid(`${path}: a pattern has at most ${LENGTH_MAX} characters`);
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
  const pattern: Pattern = { isIn: (text) => engine.matcher(text).find() };
  const [oldest] = compiled.keys();
  if (compiled.size >= REMEMBERED_MAX && oldest !== undefined) compiled.delete(oldest);
  compiled.set(source, pattern);
  return pattern;
}
