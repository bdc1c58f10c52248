import type { FastifyReply, FastifyRequest } from "fastify";
import type * as z from "zod";
import type { DevicePrincipal } from "../devices/index.ts";
import type { Permission, UserPrincipal } from "../users/index.ts";
import type { Answer } from "./answers.ts";
import type { TooLargeStatus } from "./bodies.ts";
import type { ClientSide } from "./client-side.ts";
import type { AnswerHeader, RequestHeader } from "./headers.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Callers of a route: anyone, an accepted device with its token, or a user with a session. */
export type Access = "public" | "device" | "user";

/** A JSON body. */
export interface BodySpec<B> {
  readonly schema: z.core.$ZodType<B>;
  /** Status of the answer to a body above the limit. Some devices hang on a 413 that they do not expect. */
  readonly tooLarge: TooLargeStatus;
  /** The value of an absent body. Absent: the body is required. */
  readonly absent?: unknown;
  /** The body may also be a form (`application/x-www-form-urlencoded`). A repeated field is a list. */
  readonly form?: boolean;
  /** The handler checks the bytes itself, against the same schema. */
  readonly unchecked?: boolean;
  /** Example for the API document. Default: made from the schema, with what is required. */
  readonly example?: unknown;
}

/** A multipart body that the handler streams from the request: parts in this order. */
export interface StreamSpec {
  readonly parts: Readonly<Record<string, PartSpec>>;
}

/** A body of any media type that the handler streams from the request. */
export interface BytesSpec {
  /** Description for the API document. */
  readonly bytes: string;
}

export interface PartSpec {
  readonly description: string;
  readonly required?: boolean;
  /** The part is bytes, not text. */
  readonly file?: boolean;
}

export interface AnswerSpec {
  readonly description: string;
  /** Schema of a JSON body. */
  readonly schema?: z.core.$ZodType;
  /** Media type of a body that is not JSON. Beside a schema: the request says which of both it is. */
  readonly mediaType?: string;
  /** Headers that it may have. 429 and 503 have Retry-After. */
  readonly headers?: readonly AnswerHeader[];
  /** Example of the JSON body for the API document. Default: made from the schema. */
  readonly example?: unknown;
}

interface Callers {
  public: undefined;
  device: DevicePrincipal;
  user: UserPrincipal;
}

/** A request and its response as the platform hands them to a listener. */
export type RawRequest = FastifyRequest["raw"];
export type RawReply = FastifyReply["raw"];
export type Listener = (request: RawRequest, response: RawReply) => void;

/** A request of the framework, or of the fast path. */
export interface ApiRequest {
  readonly id: string;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: FastifyRequest["headers"];
  readonly socket: RawRequest["socket"];
  /** For handlers that stream the body. */
  readonly raw: RawRequest;
  /** Arrival of the head, in milliseconds of the monotonic clock. */
  readonly startedMs: number;
  callingDevice: DevicePrincipal | undefined;
  callingUser: UserPrincipal | undefined;
}

/** A validated request, as a handler gets it. */
export interface RequestContext<A extends Access, P, Q, B> {
  readonly caller: Callers[A];
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The exact bytes of the body; empty if the route takes no JSON body. */
  readonly rawBody: Buffer;
  readonly request: ApiRequest;
  /** The client, where proxies are between it and this server. */
  readonly client: ClientSide;
  /** URL under which the client reaches this server, without a slash at the end. */
  readonly baseUrl: string;
}

/** One operation of the API: input, answers, handler. */
export interface RouteSpec<A extends Access, P, Q, B> {
  readonly method: Method;
  /** Path parameters are written `:name`. */
  readonly path: string;
  readonly summary: string;
  readonly access: A;
  /** Permission that a user needs. Default: `read` for GET, else `write`. */
  readonly permission?: Permission;
  /** HEAD is answered too. */
  readonly head?: boolean;
  /** Called when a request of an authenticated device is malformed or too large. */
  readonly refused?: (deviceId: string, message: string) => void;
  readonly params?: z.core.$ZodType<P>;
  readonly query?: z.core.$ZodType<Q>;
  /** Headers that it looks at, besides those of the token and the body. */
  readonly headers?: readonly RequestHeader[];
  readonly body?: BodySpec<B> | StreamSpec | BytesSpec;
  readonly answers: Readonly<Record<number, AnswerSpec>>;
  /** Refuses a request before its body is read. @throws HttpError */
  readonly guard?: (request: ApiRequest) => void;
  readonly handle: (call: RequestContext<A, P, Q, B>) => Answer | Promise<Answer>;
}

/** A route without its type parameters, which {@link route} has checked. */
export type Route = Omit<RouteSpec<Access, unknown, unknown, unknown>, "handle"> & {
  readonly handle: (call: never) => Answer | Promise<Answer>;
};

/** Infers the types of a route's parameters, query and body from its schemas. */
export function route<A extends Access, P = unknown, Q = unknown, B = unknown>(spec: RouteSpec<A, P, Q, B>): Route {
  return spec;
}

/** The JSON body that a route takes, if any. */
export function jsonBody({ body }: Pick<Route, "body">): BodySpec<unknown> | undefined {
  return body !== undefined && "schema" in body ? body : undefined;
}

/** The permission that a user needs for this route. */
export function permissionOf({ method, permission }: Pick<Route, "method" | "permission">): Permission {
  return permission ?? (method === "GET" ? "read" : "write");
}
