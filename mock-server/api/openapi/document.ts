import { ANSWER_HEADERS, type AnswerHeader, type HeaderSpec, REQUEST_HEADERS } from "../headers.ts";
import type { AnswerSpec, Route, StreamSpec } from "../route.ts";
import { exampleOf } from "./examples.ts";
import { type JsonSchema, jsonSchema, parametersOf } from "./schemas.ts";

const TITLE = "Upkeep server";
/** The version of the API, not of the program: the paths carry their own. */
const VERSION = "1";

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly OperationParameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, OperationAnswer>>;
}

export interface OperationAnswer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly description: string; readonly schema: JsonSchema }>>;
  readonly content?: Content;
}

export interface OperationParameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: JsonSchema;
  readonly description?: string;
  readonly example?: unknown;
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>;

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: "3.1.0";
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, unknown>>;
}

const ERROR: Content = {
  "application/json": {
    schema: { $ref: "#/components/schemas/Error" },
    example: { error: "per_page: must be at most 500", request_id: "c7d3a4de-6a52-4a8f-9f4c-0c6f0b6e9a55" },
  },
};
const SECURITY = {
  public: [],
  device: [{ deviceToken: [] }],
  user: [{ userToken: [] }, { userCookie: [] }],
} as const;

function tagOf(path: string): string {
  const [, side, , service] = path.slice(1).split("/");
  if (side === "devices") return "devices";
  return side === "management" ? (service ?? side) : "server";
}

function operationId({ method, path }: Pick<Route, "method" | "path">): string {
  const words = path
    .replace(/^\/api\//, "")
    .replaceAll(/:(\w+)/g, "by_$1")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "");
  return [method.toLowerCase(), ...words].join("_");
}

function parameters({ params, query, headers = [] }: Route): OperationParameter[] {
  const inPath = params === undefined ? [] : parametersOf(params).parameters;
  const inQuery = query === undefined ? [] : parametersOf(query).parameters;
  return [
    ...inPath.map((one) => ({
      ...one,
      in: "path" as const,
      required: true,
      example: exampleOf(one.schema, "required", one.name),
    })),
    ...inQuery.map((one) => ({
      ...one,
      in: "query" as const,
      ...(one.required ? { example: exampleOf(one.schema, "required", one.name) } : {}),
    })),
    ...headers.map((name) => {
      const { description, type, example, required = false }: HeaderSpec = REQUEST_HEADERS[name];
      return { name, in: "header" as const, required, description, schema: { type }, example };
    }),
  ];
}

function answerHeaders(names: readonly AnswerHeader[]): Pick<OperationAnswer, "headers"> {
  if (names.length === 0) return {};
  const described = names.map((name) => {
    const { description, type, example }: HeaderSpec = ANSWER_HEADERS[name];
    return [name, { description, schema: { type }, example }];
  });
  return { headers: Object.fromEntries(described) };
}

function multipartSchema({ parts }: StreamSpec): JsonSchema {
  const properties = Object.entries(parts).map(([name, { description, file = false }]) => [
    name,
    { type: "string", description, ...(file ? { contentMediaType: "application/octet-stream" } : {}) },
  ]);
  const required = Object.keys(parts).filter((name) => parts[name]?.required === true);
  return { type: "object", properties: Object.fromEntries(properties), ...(required.length > 0 ? { required } : {}) };
}

function requestBody({ body }: Route): Pick<Operation, "requestBody"> {
  if (body === undefined) return {};
  if ("parts" in body) {
    return { requestBody: { required: true, content: { "multipart/form-data": { schema: multipartSchema(body) } } } };
  }
  if ("bytes" in body) {
    const schema = { type: "string", description: body.bytes, contentMediaType: "application/octet-stream" };
    return { requestBody: { required: true, content: { "application/octet-stream": { schema } } } };
  }
  const schema = jsonSchema(body.schema, "input");
  const { example = exampleOf(schema, "required") } = body;
  const form = body.form === true ? { "application/x-www-form-urlencoded": { schema, example } } : {};
  const content = { "application/json": { schema, example }, ...form };
  return { requestBody: { required: body.absent === undefined, content } };
}

/** Statuses that say when to come back. */
const COME_BACK: readonly string[] = ["429", "503"];

function answer(status: string, { description, headers = [], ...spec }: AnswerSpec): OperationAnswer {
  const waits = COME_BACK.includes(status) ? (["Retry-After"] as const) : [];
  const told = { description, ...answerHeaders([...headers, ...waits]) };
  const content = answerContent(status, spec);
  return content === undefined ? told : { ...told, content };
}

function answerContent(
  status: string,
  { schema, mediaType, example }: Pick<AnswerSpec, "schema" | "mediaType" | "example">,
): Content | undefined {
  const text = mediaType === undefined ? undefined : { [mediaType]: { schema: { type: "string" } } };
  if (schema === undefined) return text ?? (status >= "400" ? ERROR : undefined);
  const described = jsonSchema(schema, "output");
  return { "application/json": { schema: described, example: example ?? exampleOf(described, "all") }, ...text };
}

function responses({ access, answers }: Route): Operation["responses"] {
  const own = Object.entries(answers).map(([status, spec]) => [status, answer(status, spec)]);
  const unauthorized = access === "public" ? {} : { 401: { description: "The token is not good" } };
  return {
    ...unauthorized,
    ...Object.fromEntries(own),
    default: { description: "What went wrong", ...answerHeaders(["Retry-After"]), content: ERROR },
  };
}

function operation(route: Route): Operation {
  const all = parameters(route);
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [tagOf(route.path)],
    security: SECURITY[route.access],
    ...(all.length === 0 ? {} : { parameters: all }),
    ...requestBody(route),
    responses: responses(route),
  };
}

/** The OpenAPI 3.1 document of these routes, without the server: it says what the schemas say that check each request. */
export function openApiDocument(routes: readonly Route[]): Omit<OpenApiDocument, "servers"> {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    const item = paths[path] ?? {};
    paths[path] = item;
    item[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: TITLE,
      version: VERSION,
      description:
        "The device and management APIs of the Mender protocol. Lists tell of their other pages in the header Link; " +
        "every answer carries X-MEN-RequestID.",
    },
    paths,
    components: {
      securitySchemes: {
        deviceToken: { type: "http", scheme: "bearer", description: "The token of an accepted device" },
        userToken: { type: "http", scheme: "bearer", description: "The token of a login, or a personal access token" },
        userCookie: { type: "apiKey", in: "cookie", name: "JWT" },
      },
      schemas: {
        Error: {
          type: "object",
          properties: {
            error: { type: "string", description: "What is wrong, for people" },
            metadata: { type: "object", description: "More for programs" },
            request_id: { type: "string", description: "Under which the server's log tells of it" },
          },
          required: ["error"],
        },
      },
    },
  };
}
