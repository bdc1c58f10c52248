/** The first thing that was not as the recording has it. */
export interface Difference {
  /** Line of the recording. */
  readonly line: number;
  /** Which exchange, for a person: `d1, PUT …/status`. */
  readonly exchange: string;
  /** Where in it: `status`, `json.artifact.artifact_name` … */
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

/** A difference in lines for a person. @param name Of the recording's file. */
export function describeDifference({ line, exchange, where, expected, got }: Difference, name: string): string {
  return [`${name}:${line}: ${exchange}: ${where} differs`, `  expected: ${expected}`, `  got:      ${got}`].join("\n");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Where two JSON values differ first; `undefined`: nowhere.
 * @param same Fields that are the same by other means than being equal: told the path, and both values.
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
