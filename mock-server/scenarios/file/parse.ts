import * as z from "zod";
import { checkReferences } from "./check.ts";
import { withEveryDevice } from "./each.ts";
import { type FileFault, ScenarioFileError } from "./errors.ts";
import { filledIn, type ParameterValues, parameterNames, rowsOf, valuesText } from "./parameters.ts";
import { type Path, PlacedYaml, pathText } from "./positions.ts";
import { Scenario } from "./scenario.ts";
import { suggestion } from "./similar.ts";

const SHOWN_CHARACTERS_MAX = 60;

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  string: "a text (in quotes if it looks like a number)",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
};

/** The expected value at an issue, as a noun. */
function expected(issue: z.core.$ZodIssue): string {
  // Messages of our schemas say what is right; those of the library begin in its own way.
  const own = /^(Invalid|Unrecognized|Too |Expected)/.test(issue.message) ? undefined : issue.message;
  if (own !== undefined) return own;
  switch (issue.code) {
    case "invalid_type":
      return TYPE_NAMES[issue.expected] ?? issue.expected;
    case "invalid_value":
      return `one of ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return issue.origin === "array" ? `at least ${issue.minimum} of them` : `at least ${issue.minimum}`;
    case "too_big":
      return `at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

/** The keys that a mapping may have, if the issue is an unknown key. */
function knownKeys(schema: z.core.$ZodType, path: Path): readonly string[] {
  let inner: unknown = schema;
  for (const key of path) {
    const parts = unwrapped(inner);
    if (parts instanceof z.ZodObject) inner = (parts.shape as Readonly<Record<string, unknown>>)[String(key)];
    else if (parts instanceof z.ZodArray) inner = parts.element;
    else return [];
  }
  const object = unwrapped(inner);
  if (object instanceof z.ZodObject) return Object.keys(object.shape);
  return object instanceof z.ZodRecord && object.keyType instanceof z.ZodEnum ? object.keyType.options.map(String) : [];
}

function unwrapped(schema: unknown): unknown {
  for (let inner = schema; ; ) {
    if (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault)
      inner = inner.unwrap();
    else if (inner instanceof z.ZodPipe) inner = inner.in;
    else return inner;
  }
}

function pathOf(issue: z.core.$ZodIssue): Path {
  return issue.path.map((key) => (typeof key === "number" ? key : String(key)));
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = suggestion(key, known);
  const others = known.length === 0 ? "" : `; known: ${known.join(", ")}`;
  return `${JSON.stringify(key)} is not known here${meant === "" ? others : meant}`;
}

/** A misspelt key is reported once, not as missing too. */
function withoutEchoes(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  const misspelt = new Set(issues.filter(({ code }) => code === "unrecognized_keys").map(({ path }) => path.join("/")));
  return issues.filter(({ code, path }) => code !== "custom" || !misspelt.has(path.join("/")));
}

/** The issues of a value that fits none of several forms, in the form that it fits best. */
function innermost(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const branches = issue.errors
    .map((errors) => errors.flatMap((one) => innermost({ ...one, path: [...issue.path, ...one.path] })))
    .filter((errors) => errors.length > 0 && errors.every(({ path }) => path.length > issue.path.length));
  const [nearest] = branches.sort((a, b) => a.length - b.length);
  return nearest ?? [issue];
}

function faultsOf(issue: z.core.$ZodIssue, yaml: PlacedYaml, value: unknown): FileFault[] {
  const path = pathOf(issue);
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(Scenario, path);
    return issue.keys.map((key) => ({
      ...yaml.placeOfKey([...path, key]),
      path: pathText(path),
      message: unknownKey(key, known),
    }));
  }
  if (issue.code === "invalid_key") {
    return [
      {
        ...yaml.placeOfKey(path),
        path: pathText(path.slice(0, -1)),
        message: `expected ${issue.issues.map(expected).join("; ")}, got ${shown(path.at(-1))}`,
      },
    ];
  }
  const there = at(value, path);
  const word =
    typeof there === "string" && issue.code === "invalid_value" ? suggestion(there, issue.values.map(String)) : "";
  return [
    {
      ...yaml.placeOf(path),
      path: pathText(path),
      message: `expected ${expected(issue)}, got ${shown(there)}${word}${writtenAs(at(yaml.value, path), there)}`,
    },
  ];
}

/** How a value is written that comes from a parameter. */
function writtenAs(written: unknown, value: unknown): string {
  return typeof written === "string" && written !== value ? `, written as ${written}` : "";
}

function at(value: unknown, path: Path): unknown {
  let inner = value;
  for (const key of path) {
    if (typeof inner !== "object" || inner === null) return undefined;
    inner = (inner as Readonly<Record<string, unknown>>)[String(key)];
  }
  return inner;
}

function inOrder(faults: readonly FileFault[]): FileFault[] {
  return faults.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** One run of a scenario file. */
export interface ScenarioCase {
  readonly scenario: Scenario;
  /** The values that parameters have in this run, where they are not the usual ones. */
  readonly values: ParameterValues;
}

/**
 * The scenario in a file, with the usual values of its parameters.
 * @param file The file's name, for messages.
 * @throws ScenarioFileError with line, column, expected and actual value of every error.
 */
export function parseScenario(text: string, file: string): Scenario {
  return scenarioIn(usableYaml(text, file), file, {});
}

/**
 * The runs of a file: one for each row of its table, or a single one.
 * @param given Values of parameters in place of the usual ones and of the table; those that the file lacks are left out.
 * @throws ScenarioFileError
 */
export function parseCases(text: string, file: string, given: ParameterValues = {}): readonly ScenarioCase[] {
  const yaml = usableYaml(text, file);
  const names = parameterNames(yaml.value);
  const known = Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name)));
  const rows = Object.keys(known).length > 0 ? [known] : rowsOf(yaml.value);
  return rows.map((values) => {
    const scenario = scenarioIn(yaml, file, values);
    const told = valuesText(values);
    return { scenario: told === "" ? scenario : { ...scenario, scenario: `${scenario.scenario} (${told})` }, values };
  });
}

function usableYaml(text: string, file: string): PlacedYaml {
  const yaml = new PlacedYaml(text);
  if (yaml.faults.length > 0) throw new ScenarioFileError(file, yaml.faults);
  return yaml;
}

function placed(faults: readonly { readonly path: Path; readonly message: string }[], yaml: PlacedYaml): FileFault[] {
  return inOrder(faults.map(({ path, message }) => ({ ...yaml.placeOf(path), path: pathText(path), message })));
}

function scenarioIn(yaml: PlacedYaml, file: string, values: ParameterValues): Scenario {
  const filled = filledIn(yaml.value, values);
  const { value } = filled;
  const parsed = Scenario.safeParse(value);
  // A parameter that is not there is the cause of what else is wrong.
  const wrong = placed(filled.faults, yaml);
  if (wrong.length > 0) throw new ScenarioFileError(file, wrong);
  if (!parsed.success) {
    const issues = withoutEchoes(parsed.error.issues.flatMap(innermost));
    throw new ScenarioFileError(file, inOrder(issues.flatMap((issue) => faultsOf(issue, yaml, value))));
  }
  const faults = placed(checkReferences(parsed.data), yaml);
  if (faults.length > 0) throw new ScenarioFileError(file, faults);
  return withEveryDevice(parsed.data);
}
