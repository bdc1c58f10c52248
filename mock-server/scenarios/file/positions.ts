import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from "yaml";
import type { FileFault } from "./errors.ts";

/** A place in the value of a file: keys and indices, from the top. */
export type Path = readonly (string | number)[];

/** A YAML file whose values know where they are written. */
export class PlacedYaml {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(text: string) {
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, strict: true });
  }

  /** What is no YAML. */
  get faults(): FileFault[] {
    return this.#document.errors.map(({ pos, message }) => ({ ...this.#at(pos[0]), path: "", message }));
  }

  get value(): unknown {
    return this.#document.toJS({ maxAliasCount: 100 });
  }

  /** Where the value at `path` is written; the innermost that is there if it is not. */
  placeOf(path: Path): Pick<FileFault, "line" | "column"> {
    return this.#at(this.#nodeAt(path)?.range?.[0]);
  }

  /** Where the key is written that ends `path`. */
  placeOfKey(path: Path): Pick<FileFault, "line" | "column"> {
    const key = path.at(-1);
    const pair = this.#pairIn(this.#nodeAt(path.slice(0, -1)), key);
    return this.#at(isNode(pair?.key) ? pair.key.range?.[0] : this.#nodeAt(path)?.range?.[0]);
  }

  #pairIn(node: Node | undefined, key: string | number | undefined): Pair | undefined {
    if (!isMap(node)) return undefined;
    return node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key));
  }

  #nodeAt(path: Path): Node | undefined {
    let node: Node | undefined = this.#document.contents ?? undefined;
    for (const key of path) {
      let inner: unknown;
      if (isMap(node)) inner = this.#pairIn(node, key)?.value;
      else if (isSeq(node)) inner = node.items[Number(key)];
      if (!isNode(inner)) return node;
      node = inner;
    }
    return node;
  }

  #at(offset: number | undefined): Pick<FileFault, "line" | "column"> {
    const { line, col } = this.#lines.linePos(offset ?? 0);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }
}

/** `fleet[0].poll` */
export function pathText(path: Path): string {
  return path
    .map((key) =>
      typeof key === "number" ? `[${key}]` : /^[\w$-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`,
    )
    .join("")
    .replace(/^\./, "");
}
