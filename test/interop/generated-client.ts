import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { OpenApiDocument, Operation } from "../../mock-server/api/openapi/document.ts";

export interface ClientRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly body?: unknown;
}

export interface ClientAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Of a JSON body. */
  readonly json: unknown;
}

export interface ClientOperation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly string[];
  /** Its answer is a JSON list. */
  readonly isList: boolean;
  readonly isPaged: boolean;
}

interface Arguments {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const PAGES_MAX = 100;

/** A client as a generator makes it of an OpenAPI document: it believes the document, and nothing that it does not say. */
export class GeneratedClient {
  readonly #document: OpenApiDocument;
  readonly #send: (request: ClientRequest) => Promise<ClientAnswer>;
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(document: OpenApiDocument, send: (request: ClientRequest) => Promise<ClientAnswer>) {
    this.#document = document;
    this.#send = send;
  }

  operations(): ClientOperation[] {
    return Object.entries(this.#document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        parameters: (operation.parameters ?? []).map(({ name }) => name),
        isList: operation.responses[200]?.content?.["application/json"]?.schema.type === "array",
        isPaged: operation.responses[200]?.headers?.Link !== undefined,
      })),
    );
  }

  /** @throws Error if the answer is not as the document says. */
  async call({ id, method, path }: ClientOperation, { parameters = {}, body }: Arguments = {}): Promise<ClientAnswer> {
    const operation = this.#document.paths[path]?.[method.toLowerCase()];
    if (operation === undefined) throw new Error(`the document has no ${id}`);
    const url = urlOf(path, operation, parameters);
    return this.#checked(operation, await this.#send({ method, url, body }));
  }

  /** All items of a list, page after page as its Link headers say. */
  async all(operation: ClientOperation, given: Arguments = {}): Promise<readonly unknown[]> {
    const described = this.#document.paths[operation.path]?.[operation.method.toLowerCase()];
    if (described === undefined) throw new Error(`the document has no ${operation.id}`);
    let answer = await this.call(operation, given);
    const items = listOf(answer);
    for (let page = 1; page < PAGES_MAX; page += 1) {
      const next = nextOf(answer);
      if (next === undefined) return items;
      answer = this.#checked(described, await this.#send({ method: operation.method, url: next }));
      items.push(...listOf(answer));
    }
    throw new Error(`${operation.id}: the list has no end`);
  }

  #checked(operation: Operation, answer: ClientAnswer): ClientAnswer {
    const { operationId } = operation;
    const described = operation.responses[answer.status];
    if (described === undefined || answer.status >= 400) {
      throw new Error(`${operationId}: answered ${answer.status} ${JSON.stringify(answer.json)}`);
    }
    for (const [name, { schema }] of Object.entries(described.headers ?? {})) {
      const value = answer.headers[name.toLowerCase()];
      if (
        value === undefined &&
        operation.responses[200] === described &&
        (name === "Link" || name === "X-Total-Count")
      ) {
        throw new Error(`${operationId}: ${name} is missing`);
      }
      if (schema.type === "integer" && value !== undefined && !/^\d+$/.test(String(value))) {
        throw new Error(`${operationId}: ${name} is ${String(value)}`);
      }
    }
    const schema = described.content?.["application/json"]?.schema;
    if (schema !== undefined) {
      const validate = this.#validator(`${operationId} ${answer.status}`, schema);
      if (!validate(answer.json)) {
        throw new Error(`${operationId}: ${this.#ajv.errorsText(validate.errors)} in ${JSON.stringify(answer.json)}`);
      }
    }
    return answer;
  }

  #validator(name: string, schema: object): ValidateFunction {
    const known = this.#validators.get(name);
    if (known !== undefined) return known;
    const made = this.#ajv.compile({ ...schema, components: this.#document.components });
    this.#validators.set(name, made);
    return made;
  }
}

function urlOf(path: string, { parameters = [] }: Operation, given: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams();
  let url = path;
  for (const { name, in: place, required } of parameters) {
    const value = given[name];
    if (value === undefined) {
      if (required && place !== "header") throw new Error(`${path}: ${name} is needed`);
    } else if (place === "path") url = url.replace(`{${name}}`, encodeURIComponent(value));
    else if (place === "query") query.set(name, value);
  }
  return query.size === 0 ? url : `${url}?${query}`;
}

function listOf({ json }: ClientAnswer): unknown[] {
  if (!Array.isArray(json)) throw new Error(`not a list: ${JSON.stringify(json)}`);
  return json;
}

function nextOf({ headers }: ClientAnswer): string | undefined {
  return [headers.link ?? []]
    .flat()
    .join()
    .match(/<([^>]*)>; rel="next"/)?.[1];
}
