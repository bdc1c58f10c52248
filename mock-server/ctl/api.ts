import {
  collectText,
  type HttpHeaders,
  type HttpResponse,
  isSystemError,
  type SystemError,
} from "@upkeep/shared/system";
import { printable } from "@upkeep/shared/text";
import type { Listed, Method, Operation, PathOf, Request, ResultOf } from "../api-types/operations.ts";
import type { StreamedRequest } from "../system/network.ts";
import type { Connection } from "./connection.ts";
import { CtlError, EXIT } from "./failure.ts";

/** A server that sends and takes nothing for so long has failed, in milliseconds. */
const IDLE_MS = 60_000;
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
const PER_PAGE = 500;

export interface Answered<T> {
  readonly data: T;
  /** How many there are on all pages together; `undefined` if the server does not say. */
  readonly total: number | undefined;
  /** The last part of the place of what was made; empty if nothing was. */
  readonly made: string;
  /** The state of what was read or written, for If-Match. */
  readonly etag: string | undefined;
  /** What the server took with less effect than may be thought. */
  readonly warning: string | undefined;
}

/** A refusal of the server. */
export class ApiError extends CtlError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message, status === 401 || status === 403 ? EXIT.denied : EXIT.error);
    this.status = status;
  }
}

/** The server does not have an operation. */
export class LacksOperation extends CtlError {
  /** @param operation Method and path. */
  constructor(server: string, operation: string, status: number) {
    super(`${server} does not offer this: it has no ${operation} (status ${status})`);
  }
}

/** The connection failed: it may work later. */
export class Unreachable extends CtlError {
  constructor(server: string, cause: SystemError) {
    super(`${server}: ${cause.message}`, EXIT.error, { cause });
  }
}

/** The door's network, which can also read a body while it sends it. */
export interface StreamingNetwork {
  request(request: StreamedRequest): Promise<HttpResponse>;
}

interface More {
  /** The path names things that are there: an answer that it is not found means that the operation is not there. */
  readonly beyond?: true;
  readonly headers?: Readonly<Record<string, string>>;
  /** Limit of the time without a byte, if the answer may take longer than others. */
  readonly idleTimeoutMs?: number;
}

/** The management API of a server. */
export class Api {
  readonly server: string;
  readonly #connection: Connection;
  readonly #network: StreamingNetwork;

  constructor(network: StreamingNetwork, connection: Connection) {
    this.server = connection.server;
    this.#connection = connection;
    this.#network = network;
  }

  /**
   * Calls an operation.
   * @throws LacksOperation; ApiError; Unreachable
   */
  async call<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    { params, query, body, signal, beyond, headers: more, idleTimeoutMs }: Request<Operation<M, P>> & More = {},
  ): Promise<Answered<ResultOf<Operation<M, P>>>> {
    const answer = await this.send({
      method: method.toUpperCase() as StreamedRequest["method"],
      url: this.urlOf(path, params ?? {}, query ?? {}),
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...more },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
      ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    });
    const text = await this.#textOf(answer);
    const isResource = path.includes("{") && beyond !== true;
    if ([404, 405, 501].includes(answer.status) && !isResource) {
      throw new LacksOperation(this.server, `${method.toUpperCase()} ${path}`, answer.status);
    }
    if (answer.status >= 400) throw refusalOf(answer, text);
    const { headers } = answer;
    const isJson = headerOf(headers, "content-type")?.includes("json") === true;
    const total = headerOf(headers, "x-total-count");
    return {
      data: (isJson ? parsed(text) : text) as ResultOf<Operation<M, P>>,
      total: total === undefined ? undefined : Number(total),
      made: (headerOf(headers, "location") ?? "").split("/").at(-1) ?? "",
      etag: headerOf(headers, "etag"),
      warning: headerOf(headers, "x-upkeep-warning"),
    };
  }

  /** All pages of a list, each as it comes. */
  async *pages<P extends PathOf<"get">>(
    path: P,
    { query, perPage = PER_PAGE, ...request }: Request<Operation<"get", P>> & More & { readonly perPage?: number } = {},
  ): AsyncGenerator<readonly Listed<P>[]> {
    for (let page = 1; ; page += 1) {
      const paged: object = { ...request, query: { ...(query as object), page, per_page: perPage } };
      const { data } = await this.call("get", path, paged as Request<Operation<"get", P>> & More);
      const list: unknown = data;
      const items = (Array.isArray(list) ? list : []) as readonly Listed<P>[];
      if (items.length > 0) yield items;
      if (items.length < perPage) return;
    }
  }

  urlOf(path: string, params: Readonly<Record<string, unknown>> = {}, query: object = {}): string {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name] ?? "")));
    const url = new URL(this.server + filled);
    for (const [name, value] of Object.entries(query)) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== undefined && one !== "") url.searchParams.append(name, String(one));
      }
    }
    return url.href;
  }

  /**
   * Sends a request with the token, if it goes to this server.
   * @throws Unreachable
   */
  async send({
    headers = {},
    ...request
  }: Omit<StreamedRequest, "idleTimeoutMs" | "tls"> & { readonly idleTimeoutMs?: number }): Promise<HttpResponse> {
    const { token, tls, server } = this.#connection;
    const isOwn = request.url.startsWith(`${server}/`);
    const authorization = token === undefined || !isOwn ? {} : { authorization: `Bearer ${token}` };
    try {
      return await this.#network.request({
        idleTimeoutMs: IDLE_MS,
        ...request,
        headers: { ...authorization, ...headers },
        tls,
      });
    } catch (error) {
      if (isSystemError(error)) throw new Unreachable(server, error);
      throw error;
    }
  }

  /** The whole answer as text, and a refusal as an error. @throws ApiError; Unreachable */
  async checked(answer: HttpResponse): Promise<string> {
    const text = await this.#textOf(answer);
    if (answer.status >= 400) throw refusalOf(answer, text);
    return text;
  }

  async #textOf({ body }: HttpResponse): Promise<string> {
    try {
      return await collectText(body, ANSWER_BYTES_MAX);
    } catch (error) {
      if (isSystemError(error)) throw new Unreachable(this.server, error);
      throw error;
    }
  }
}

export function headerOf(headers: HttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CtlError("the answer says that it is JSON, and is none");
  }
}

function refusalOf({ status, headers }: HttpResponse, body: string): ApiError {
  const reason = reasonIn(body);
  if (status === 401) {
    const hint = reason?.startsWith("unauthorized") === false ? `: ${reason}` : "";
    return new ApiError(status, `not logged in, or the session has ended${hint}; 'upkeepctl login' logs in`);
  }
  if (status === 403) return new ApiError(status, reason ?? "the role of this user does not allow it");
  const wait = status === 429 ? headerOf(headers, "retry-after") : undefined;
  const later = wait === undefined ? "" : `; again in ${wait} s`;
  return new ApiError(status, `${reason ?? `the server answered with status ${status}`}${later}`);
}

/** The server's own words in the body of a refusal. */
function reasonIn(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { readonly error?: unknown };
    return typeof error === "string" && error !== "" ? printable(error) : undefined;
  } catch {
    return undefined;
  }
}
