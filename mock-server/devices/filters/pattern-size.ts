const REPEAT = /^\{(\d+)(,(\d*))?\}/;
/** Larger than any allowed size; caps the products of nested repeats. */
const ENOUGH = 1e9;

/** The size of the current group so far. */
interface Level {
  total: number;
  /** The size of the last element, to which a repeat applies. */
  last: number;
}

/**
 * The size of a pattern with its repeats expanded, in steps. A linear-time engine expands repeats, and each step costs
 * time for each character. An upper bound, apart from the steps that begin and end the pattern.
 */
export function patternSize(source: string): number {
  const outer: Level[] = [];
  let level: Level = { total: 0, last: 0 };
  const add = (size: number): void => {
    level.total = Math.min(level.total + size, ENOUGH);
    level.last = size;
  };
  for (let at = 0; at < source.length; at += 1) {
    const repeat = REPEAT.exec(source.slice(at, at + 12));
    switch (true) {
      case source[at] === "\\":
        at += 1;
        add(1);
        break;
      case source[at] === "[":
        at = endOfClass(source, at);
        add(1);
        break;
      case source[at] === "(":
        outer.push(level);
        // A group has a step at its beginning and at its end, for the capture.
        level = { total: 2, last: 0 };
        break;
      case source[at] === ")": {
        const group = level.total;
        level = outer.pop() ?? { total: 0, last: 0 };
        add(group);
        break;
      }
      case repeat !== null: {
        const [text = "", least = "0", range, most] = repeat ?? [];
        // The element is copied once per repetition, each with a step that can leave the repeat.
        const times = Math.max(Number(least), Number(most || 0)) + (range === undefined ? 0 : 1);
        const size = Math.min((level.last + 1) * times, ENOUGH);
        level.total += size;
        level.last = size;
        at += text.length - 1;
        break;
      }
      default:
        // A star over what may match nothing takes a step more.
        add(source[at] === "|" || source[at] === "*" ? 2 : 1);
    }
  }
  return outer.reduce((sum, { total }) => sum + total, level.total);
}

/** The end of a character class such as `[^]a-z\]]`; the end of the pattern if it is not closed. */
function endOfClass(source: string, start: number): number {
  let at = start + 1;
  if (source[at] === "^") at += 1;
  // A leading bracket is a member of the class.
  if (source[at] === "]") at += 1;
  for (; at < source.length && source[at] !== "]"; at += 1) {
    if (source[at] === "\\") at += 1;
    // A named class such as [:alpha:] has its own brackets.
    const named = /^\[:\^?[a-z]+:\]/.exec(source.slice(at, at + 16))?.[0];
    if (named !== undefined) at += named.length - 1;
  }
  return at;
}
