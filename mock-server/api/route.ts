import type { FastifyReply, FastifyRequest } from "fastify";
import type * as z from "zod";
import type { DevicePrincipal } from "../devices/index.ts";
import type { Permission, UserPrincipal } from "../users/index.ts";
import type { Answer } from "./answers.ts";
import type { TooLargeStatus } from "./bodies.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Who may call: anybody, an accepted device with its token, or a user who is logged in. */
export type Access = "public" | "device" | "user";

/** The body that a route takes, as JSON. */
export interface BodySpec<B> {
  readonly schema: z.core.$ZodType<B>;
  /** The status that tells a body above the limit. Some devices hang on 413 where they do not expect it. */
  readonly tooLarge: TooLargeStatus;
  /** What an absent body counts as; absent: there must be a body. */
  readonly absent?: unknown;
  /** It may also be a form (`application/x-www-form-urlencoded`): a field that comes several times is a list. */
  readonly form?: boolean;
  /** The handler checks the bytes itself, against the same schema. */
  readonly unchecked?: boolean;
}

/** A body that the handler reads from the request itself, as it arrives: parts in this order. */
export interface StreamSpec {
  readonly parts: Readonly<Record<string, PartSpec>>;
}

/** A body that the handler reads from the request itself, as it arrives: bytes of any type. */
export interface BytesSpec {
  /** What they are. */
  readonly bytes: string;
}

export interface PartSpec {
  readonly description: string;
  readonly required?: boolean;
  /** Bytes rather than text. */
  readonly file?: boolean;
}

export interface AnswerSpec {
  readonly description: string;
  /** Of a JSON body. */
  readonly schema?: z.core.$ZodType;
  /** Of a body that is not JSON. */
  readonly mediaType?: string;
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

/** A request, whatever carries it. */
export interface ApiRequest {
  readonly id: string;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: FastifyRequest["headers"];
  /** The connection that it came on. */
  readonly socket: RawRequest["socket"];
  /** For those who read the body themselves. */
  readonly raw: RawRequest;
  readonly ip: string;
  /** When its head had come, in milliseconds of the monotonic clock. */
  readonly startedMs: number;
  callingDevice: DevicePrincipal | undefined;
  callingUser: UserPrincipal | undefined;
}

/** One request, checked. */
export interface RequestContext<A extends Access, P, Q, B> {
  readonly caller: Callers[A];
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The body's bytes as they came; empty if the route takes no JSON body. */
  readonly rawBody: Buffer;
  readonly request: ApiRequest;
  /** Scheme and host under which whoever asks reaches this server. */
  readonly origin: string;
}

/** One operation of the API: what it takes, what it answers, and what it does. */
export interface RouteSpec<A extends Access, P, Q, B> {
  readonly method: Method;
  /** Parameters as `:name`. */
  readonly path: string;
  readonly summary: string;
  readonly access: A;
  /** What a user needs; GET needs to read, anything else to write. */
  readonly permission?: Permission;
  /** Answer HEAD as well, without the body. */
  readonly head?: boolean;
  /** Called when a request of a known device is refused because it is malformed or too large. */
  readonly refused?: (deviceId: string, message: string) => void;
  readonly params?: z.core.$ZodType<P>;
  readonly query?: z.core.$ZodType<Q>;
  readonly body?: BodySpec<B> | StreamSpec | BytesSpec;
  readonly answers: Readonly<Record<number, AnswerSpec>>;
  /** Throws if a request is to be refused before its body is read. */
  readonly guard?: (request: ApiRequest) => void;
  readonly handle: (call: RequestContext<A, P, Q, B>) => Answer | Promise<Answer>;
}

/** A route whose types have been checked where it was written. */
export type Route = Omit<RouteSpec<Access, unknown, unknown, unknown>, "handle"> & {
  readonly handle: (call: never) => Answer | Promise<Answer>;
};

/** Infers the types of a route's parameters, query and body from its schemas. */
export function route<A extends Access, P = unknown, Q = unknown, B = unknown>(spec: RouteSpec<A, P, Q, B>): Route {
  return spec;
}

/** The JSON that a route takes, if it takes any. */
export function jsonBody({ body }: Pick<Route, "body">): BodySpec<unknown> | undefined {
  return body !== undefined && "schema" in body ? body : undefined;
}

/** What a user must be allowed to for this route. */
export function permissionOf({ method, permission }: Pick<Route, "method" | "permission">): Permission {
  return permission ?? (method === "GET" ? "read" : "write");
}
