import type { Chance } from "./chance.ts";

const TEXTS = [
  ...[
    "",
    " ",
    "x\ny",
    "\u0000",
    "\u001b[2J",
    "\u0085",
    "\u202ex",
    "\ud800",
    "\u2028",
    "..",
    ".",
    "a/b",
    "*",
    "**",
    "__proto__",
  ],
  ...[
    "constructor",
    "null",
    "x".repeat(255),
    "x".repeat(4096),
    "x".repeat(4097),
    "é".repeat(4096),
    "\\",
    '"',
    "\uffff",
  ],
];

function anyValue(chance: Chance, depth = 0): unknown {
  const kind = chance.below(depth > 3 ? 6 : 9);
  switch (kind) {
    case 0:
      return chance.of([null, true, false]);
    case 1:
      return chance.of([0, -1, 1.5, 1e308, 2 ** 53, 3]);
    case 2:
    case 3:
    case 4:
    case 5:
      return chance.of(TEXTS);
    case 6:
      return Array.from({ length: chance.skewed(6) }, () => anyValue(chance, depth + 1));
    case 7:
      return Object.fromEntries(
        Array.from({ length: chance.skewed(6) }, () => [chance.of(TEXTS), anyValue(chance, depth + 1)]),
      );
    default:
      return large(chance);
  }
}

/** Values that cost more to work on than their bytes let expect. */
function large(chance: Chance): unknown {
  const count = chance.between(100, 30_000);
  switch (chance.below(5)) {
    case 0:
      return Array.from({ length: count }, () => "*");
    case 1:
      return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, ""]));
    case 2:
      return Array.from({ length: count }, () => ({}));
    case 3:
      return Object.fromEntries(
        Array.from({ length: 6 }, (_, key) => [`k${key}`, Array.from({ length: 40 }, (_, index) => `v${index}`)]),
      );
    default: {
      let nested: unknown = "deep";
      for (let depth = chance.between(10, 3000); depth > 0; depth--)
        nested = chance.happens(0.5) ? [nested] : { n: nested };
      return nested;
    }
  }
}

type Container = Record<string, unknown>;

/** Every place in a value: what holds it, and under which key. */
function placesIn(value: unknown): [Container, string][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((key) => [
    [value as Container, key] as [Container, string],
    ...placesIn((value as Container)[key]),
  ]);
}

/** JSON text in which something is another. */
export function changedJson(chance: Chance, json: string): { text: string; how: string } {
  const value: unknown = JSON.parse(json);
  const places = placesIn(value);
  const how: string[] = [];
  for (let left = 1 + chance.skewed(3); left > 0 && places.length > 0; left--) {
    const [container, key] = chance.of(places);
    switch (chance.below(4)) {
      case 0:
        delete container[key];
        how.push(`without ${key}`);
        break;
      case 1: {
        const name = chance.happens(0.7) ? chance.of(TEXTS) : `k${chance.below(10)}`;
        if (!Array.isArray(container)) container[name] = anyValue(chance);
        how.push("a key more");
        break;
      }
      default:
        container[key] = anyValue(chance);
        how.push(`another ${key}`);
    }
  }
  let text = JSON.stringify(value) ?? "null";
  if (chance.happens(0.1)) {
    const at = chance.below(text.length);
    text = `${text.slice(0, at)}${chance.of(["{", "}", "[", "]", '"', ",", "\\u0000", "\\", "\u0000", '"x":1,"x":2,'])}${text.slice(at)}`;
    how.push("no JSON");
  }
  return { text, how: how.join(", ").slice(0, 80) };
}
