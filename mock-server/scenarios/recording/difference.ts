/** The first difference from the recording. */
export interface Difference {
  /** Line of the recording. */
  readonly line: number;
  /** The exchange in words: `d1, PUT …/status`. */
  readonly exchange: string;
  /** The differing field: `status`, `json.artifact.artifact_name` … */
  readonly where: string;
  readonly expected: string;
  readonly got: string;
}

const SHOWN_CHARACTERS = 200;

export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

/** Describes a difference in lines of text. @param name Of the recording's file. */
export function describeDifference({ line, exchange, where, expected, got }: Difference, name: string): string {
  return [`${name}:${line}: ${exchange}: ${where} differs`, `  expected: ${expected}`, `  got:      ${got}`].join("\n");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The path of the first difference of two JSON values; `undefined`: they are equal.
 * @param same Decides by path and both values whether unequal values count as the same.
 */
export function firstDifference(
  expected: unknown,
  got: unknown,
  same: (path: string, expected: unknown, got: unknown) => boolean = () => false,
  path = "json",
): { readonly where: string; readonly expected: string; readonly got: string } | undefined {
  if (same(path, expected, got)) return undefined;
  const [a, b] = [expected, got];
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let index = 0; index < Math.max(a.length, b.length); index++) {
      const found = firstDifference(a[index], b[index], same, `${path}[${index}]`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (isObject(a) && isObject(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const found = firstDifference(a[key], b[key], same, `${path}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return Object.is(a, b) ? undefined : { where: path, expected: shown(a), got: shown(b) };
}
