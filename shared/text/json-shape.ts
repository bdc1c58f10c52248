/** Measures that bound the cost of parsing and processing a JSON text. */
export interface JsonShape {
  /** Nesting depth of arrays and objects. */
  readonly depth: number;
  /** Values after the first one of their array or object. */
  readonly separators: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/** The shape of a JSON text, measured without parsing it. Meaningless for other texts. */
export function jsonShape(json: Uint8Array): JsonShape {
  let depth = 0;
  let deepest = 0;
  let separators = 0;
  let quoted = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) quoted = !quoted;
    else if (quoted && byte === BACKSLASH) at += 1;
    else if (quoted) continue;
    else if (byte === 0x5b || byte === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x5d || byte === 0x7d) depth -= 1;
    else if (byte === COMMA) separators += 1;
  }
  return { depth: deepest, separators };
}
