import type { Method, Operation, PathOf, Request, ResultOf } from "../../api-types/operations.ts";

export type { Listed, Shown } from "../../api-types/operations.ts";

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

/** No answer came. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";

  constructor(cause: unknown) {
    super(
      `${document.baseURI} cannot be reached. Is the server running, and this machine on its network? Then try again.`,
      { cause },
    );
  }
}

/** Why something failed. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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

export interface Sent {
  readonly method: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** @returns The answer, which is none of a refusal. @throws ApiError; UnreachableError; the signal's reason. */
export async function send(url: URL, { method, body, signal }: Sent): Promise<Response> {
  const json =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await fetch(url, { method, ...json, ...(signal === undefined ? {} : { signal }) }).catch(
    (error: unknown) => {
      throw error instanceof TypeError ? new UnreachableError(error) : error;
    },
  );
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

/** Calls an operation of the management API. Throws as {@link send}. */
export async function call<M extends Method, P extends PathOf<M>>(
  method: M,
  path: P,
  { params, query, body, signal }: Request<Operation<M, P>> = {},
): Promise<Answered<ResultOf<Operation<M, P>>>> {
  const url = urlOf(path, params ?? {}, query ?? {});
  const answer = await send(url, { method: method.toUpperCase(), body, signal });
  const isJson = answer.headers.get("content-type")?.includes("json") === true;
  const data = isJson ? await answer.json() : await answer.text();
  return {
    data: data as ResultOf<Operation<M, P>>,
    total: Number(answer.headers.get("x-total-count") ?? 0),
    location: answer.headers.get("location") ?? "",
  };
}

export async function refusal(answer: Response): Promise<ApiError> {
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
