const REPEAT = /^\{(\d+)(,(\d*))?\}/;
/** More than any pattern may have; keeps products small. */
const ENOUGH = 1e9;

/** What has been read of one alternative, or of all of a group. */
interface Level {
  total: number;
  /** The last thing, which a repeat may follow. */
  last: number;
}

/**
 * How many steps a pattern has once its repeats are written out, which is how an engine of linear time works on
 * it: each step costs, for each character. Never less than it really has, but for the few that begin and end it.
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
        // A group is remembered where it begins and where it ends.
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
        // What is there once is written so many times, each with a step that may leave it.
        const times = Math.max(Number(least), Number(most || 0)) + (range === undefined ? 0 : 1);
        const size = Math.min((level.last + 1) * times, ENOUGH);
        level.total += size;
        level.last = size;
        at += text.length - 1;
        break;
      }
      default:
        add(source[at] === "|" ? 2 : 1);
    }
  }
  return outer.reduce((sum, { total }) => sum + total, level.total);
}

/** Where a class such as `[^]a-z\]]` ends; at the end of the pattern if nowhere. */
function endOfClass(source: string, start: number): number {
  let at = start + 1;
  if (source[at] === "^") at += 1;
  // A bracket that comes first is one of the class.
  if (source[at] === "]") at += 1;
  for (; at < source.length && source[at] !== "]"; at += 1) {
    if (source[at] === "\\") at += 1;
    // [:alpha:] has a bracket of its own.
    const named = /^\[:\^?[a-z]+:\]/.exec(source.slice(at, at + 16))?.[0];
    if (named !== undefined) at += named.length - 1;
  }
  return at;
}
