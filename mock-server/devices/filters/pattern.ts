import { RE2JS } from "re2js";
import { invalid } from "../../errors.ts";
import { patternSize } from "./pattern-size.ts";

/** A pattern whose matching time is linear in the text and in the size of the pattern. */
export interface Pattern {
  /** True if the first 4,096 characters of the text contain a match. */
  isIn(text: string): boolean;
}

const LENGTH_MAX = 1024;
/** Steps with repeats expanded: far above real patterns, and fast enough for a text of maximum length. */
const SIZE_MAX = 500;
/** Only this many characters of a text are matched. */
const TEXT_LENGTH_MAX = 4096;
/** The size of the cache of compiled patterns. */
const REMEMBERED_MAX = 500;
const compiled = new Map<string, Pattern>();

/** @throws DomainError (invalid) if the pattern is malformed, too large, or uses what a linear-time engine lacks. */
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

/** Back references and look-around are not supported. A leading `(?i)` ignores case. */
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
