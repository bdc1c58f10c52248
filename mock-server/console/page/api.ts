import type { paths } from "./api-types.ts";

type Method = "get" | "post" | "put" | "patch" | "delete";
type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends { readonly responses: unknown } ? P : never;
}[keyof paths];

type Part<O, K extends "path" | "query"> = O extends { parameters: infer P }
  ? K extends keyof P
    ? P[K]
    : never
  : never;
/** Numbers are sent as text. */
type Query<Q> = Q extends object ? { readonly [K in keyof Q]?: Q[K] | number } : Q;
type BodyOf<O> = O extends { requestBody?: infer R }
  ? NonNullable<R> extends { content: { "application/json": infer B } }
    ? B
    : never
  : never;
type Json<A> = A extends { content: { "application/json": infer J } } ? J : undefined;
type ResultOf<O> = O extends { responses: infer R } ? Json<R[keyof R]> : never;

/** What a GET of this path answers. */
export type Shown<P extends PathOf<"get">> = ResultOf<paths[P]["get"]>;
/** One of the list that a GET of this path answers. */
export type Listed<P extends PathOf<"get">> = Shown<P> extends readonly (infer T)[] ? T : never;

interface Request<O> {
  readonly params?: Part<O, "path">;
  readonly query?: Query<Part<O, "query">>;
  readonly body?: BodyOf<O>;
  readonly signal?: AbortSignal;
}

export interface Answered<T> {
  readonly data: T;
  /** How many there are on all pages together, of a list by the page. */
  readonly total: number;
  /** Where to find what was made; empty if nothing was. */
  readonly location: string;
}

/** A refusal of the server. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Called when the server says that there is no session. */
export const onUnauthorized: { call: () => void } = { call: () => undefined };

/** URL of a path of the API, also where a proxy serves this page below a prefix. */
export function urlOf(path: string, params: Readonly<Record<string, unknown>> = {}, query: object = {}): URL {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name] ?? "")));
  const url = new URL(filled.slice(1), document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== "") url.searchParams.append(name, String(one));
    }
  }
  return url;
}

/**
 * Calls an operation of the management API.
 * @throws ApiError; TypeError if the server cannot be reached.
 */
export async function call<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  { params, query, body, signal }: Request<paths[P][M]> = {},
): Promise<Answered<ResultOf<paths[P][M]>>> {
  const answer = await fetch(urlOf(path, params ?? {}, query ?? {}), {
    method: method.toUpperCase(),
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (!answer.ok) throw await refusal(answer);
  const isJson = answer.headers.get("content-type")?.includes("json") === true;
  const data = isJson ? await answer.json() : await answer.text();
  return {
    data: data as ResultOf<paths[P][M]>,
    total: Number(answer.headers.get("x-total-count") ?? 0),
    location: answer.headers.get("location") ?? "",
  };
}

async function refusal(answer: Response): Promise<ApiError> {
  if (answer.status === 401) onUnauthorized.call();
  const text = await answer.text();
  return new ApiError(answer.status, reasonIn(text) ?? (answer.statusText || `status ${answer.status}`));
}

/** The server's own words in the body of a refusal. */
export function reasonIn(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { readonly error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}
