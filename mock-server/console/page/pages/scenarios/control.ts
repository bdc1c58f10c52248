import type { ScenarioLine } from "../../../../api-types/scenario-line.ts";
import { send, urlOf } from "../../api.ts";

const CONTROL = "/api/test/v1";

/** The clock of the server. */
export interface Clock {
  readonly now: string;
  readonly frozen: boolean;
}

/** A fault that can be switched on. */
export interface OfferedFault {
  readonly name: string;
  readonly meaning: string;
  readonly schema: Schema;
}

/** The parts of a JSON schema of which an example can be made. */
export interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly description?: string;
}

/** A fault that is on. */
export interface SwitchedFault {
  readonly id: number;
  readonly fault: Readonly<Record<string, unknown>>;
  readonly happened: number;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

function ask(method: Method, path: string, body?: object, signal?: AbortSignal): Promise<Response> {
  return send(urlOf(CONTROL + path), { method, body, signal });
}

/** Calls the control API. Throws as {@link send}. */
export async function control<T>(method: Method, path: string, body?: object, signal?: AbortSignal): Promise<T> {
  const answer = await ask(method, path, body, signal);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/**
 * Runs a scenario and tells its lines as they come.
 * @param signal Ends the run.
 * @throws ApiError with the faults of the text.
 */
export async function follow(
  scenario: string,
  tell: (lines: readonly ScenarioLine[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const { body } = await ask("POST", "/scenarios/runs", { scenario }, signal);
  if (body === null) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value = "" } = await reader.read();
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    tell(lines.map((line) => JSON.parse(line) as ScenarioLine));
    if (done) return;
  }
}

/** A value that fits a schema: the first choice, the least number, the required parts. */
export function exampleOf(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.anyOf !== undefined) return exampleOf(schema.anyOf[0] ?? {});
  if (schema.type === "object") {
    const { properties = {}, required = [] } = schema;
    return Object.fromEntries(required.map((name) => [name, exampleOf(properties[name] ?? {})]));
  }
  if (schema.type === "array") return [exampleOf(schema.items ?? {})];
  if (schema.type === "integer" || schema.type === "number") return schema.minimum ?? 1;
  return "";
}
