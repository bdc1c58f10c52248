/** What a JSON text costs to parse and to work on. */
export interface JsonShape {
  /** How deeply arrays and objects are nested. */
  readonly depth: number;
  /** Values that follow another one in their array or object. */
  readonly separators: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/** The shape of a text that should be JSON, found without parsing it. Of anything else the figures mean nothing. */
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
