import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { System } from "@upkeep/shared/system";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { invalid } from "../errors.ts";
import { type Answer, behind, send } from "./answers.ts";
import type { Authenticate } from "./authentication.ts";
import {
  checkJsonContent,
  HeldBodies,
  isForm,
  PUBLIC_BODY_BYTES_MAX,
  parseDeviceJson,
  parseForm,
  parseJson,
  readBody,
} from "./bodies.ts";
import { type ClientSide, clientSideOf } from "./client-side.ts";
import type { ServerOptions } from "./options.ts";
import {
  type Access,
  type ApiRequest,
  type BodySpec,
  jsonBody,
  type RawRequest,
  type RequestContext,
  type Route,
  type RouteSpec,
} from "./route.ts";
import { checkParameterNames, parameterNames, validated } from "./validation.ts";

const EMPTY = Buffer.alloc(0);

type AnyRoute = RouteSpec<"public" | "device" | "user", unknown, unknown, unknown>;

function bodyOf(
  spec: BodySpec<unknown>,
  raw: Buffer,
  { headers, access }: { headers: ApiRequest["headers"]; access: Access },
): unknown {
  if (raw.length > 0) {
    if (spec.form === true && isForm(headers)) return validated(spec.schema, parseForm(raw));
    return validated(spec.schema, access === "device" ? parseDeviceJson(raw) : parseJson(raw));
  }
  if (spec.absent === undefined) throw invalid("the request has no body");
  return spec.absent;
}

function caller(
  request: ApiRequest,
  access: AnyRoute["access"],
): RequestContext<never, unknown, unknown, unknown>["caller"] {
  if (access === "public") return undefined as never;
  return (access === "device" ? request.callingDevice : request.callingUser) as never;
}

const NONE = Object.freeze({});

/** A validated request. */
class CheckedRequest implements RequestContext<never, unknown, unknown, unknown> {
  readonly caller: never;
  params: unknown = NONE;
  query: unknown = NONE;
  body: unknown = undefined;
  readonly rawBody: Buffer;
  readonly request: ApiRequest;
  readonly #options: ServerOptions;
  #client: ClientSide | undefined;

  constructor(who: never, raw: Buffer, request: ApiRequest, options: ServerOptions) {
    this.caller = who;
    this.rawBody = raw;
    this.request = request;
    this.#options = options;
  }

  /** Computed on demand: most handlers do not need it. */
  get client(): ClientSide {
    this.#client ??= clientSideOf(this.request, this.#options.isProxy);
    return this.#client;
  }

  get baseUrl(): string {
    return this.#options.publicUrl ?? this.client.baseUrl;
  }
}

export interface RoutingPorts {
  readonly authenticate: Authenticate;
  readonly options: ServerOptions;
}

/** True if users call the route. Unknown parameters of devices are ignored: other versions may send more. */
function isForUsers({ access, path }: Route): boolean {
  return access === "user" || path.startsWith("/api/management/") || path.startsWith("/api/test/");
}

/** Takes the requests for one route: authentication, checks, handler. */
export class RouteHandler {
  readonly #spec: AnyRoute;
  readonly #json: BodySpec<unknown> | undefined;
  /** Names of query parameters; `undefined`: any. */
  readonly #parameters: readonly string[] | undefined;
  readonly #ports: RoutingPorts;

  constructor(route: Route, ports: RoutingPorts) {
    this.#spec = route as AnyRoute;
    this.#json = jsonBody(route);
    this.#parameters = isForUsers(route) ? parameterNames(route.query) : undefined;
    this.#ports = ports;
  }

  /** Called when the head has arrived. @throws DomainError, HttpError: the request is refused before its body is read. */
  async enter(request: ApiRequest): Promise<void> {
    await this.#ports.authenticate(request, this.#spec);
    this.#check(request);
  }

  #check(request: ApiRequest): void {
    this.#spec.guard?.(request);
    if (request.url.includes("%00")) throw invalid("the request's path has a NUL character (%00)");
    if (this.#json !== undefined) checkJsonContent(request.headers, this.#json.form);
  }

  /** Reads the body; `undefined` if the route takes none or streams it. */
  async read(request: RawRequest, held: HeldBodies): Promise<Buffer | undefined> {
    if (this.#json === undefined) return undefined;
    const bytesMax = this.#spec.access === "public" ? PUBLIC_BODY_BYTES_MAX : PROTOCOL_LIMITS.bodyBytesMax;
    return await readBody(request, bytesMax, this.#json.tooLarge, held);
  }

  /** @param places The raw parameters of path and query. */
  answer(
    request: ApiRequest,
    raw: Buffer | undefined,
    places: { readonly params: unknown; readonly query: unknown },
  ): Answer | Promise<Answer> {
    const { access, params, query, handle } = this.#spec;
    const context = new CheckedRequest(caller(request, access), raw ?? EMPTY, request, this.#ports.options);
    if (this.#parameters !== undefined) checkParameterNames(places.query, this.#parameters);
    if (params !== undefined) context.params = validated(params, places.params);
    if (query !== undefined) context.query = validated(query, places.query);
    context.body = this.#body(context.rawBody, request.headers);
    return handle(context);
  }

  #body(raw: Buffer, headers: ApiRequest["headers"]): unknown {
    const json = this.#json;
    if (json === undefined || json.unchecked === true) return undefined;
    return bodyOf(json, raw, { headers, access: this.#spec.access });
  }
}

/** Adds a route to the application. */
export function addRoute(app: FastifyInstance, route: Route, ports: RoutingPorts): void {
  const handler = new RouteHandler(route, ports);
  app.route({
    method: route.head === true ? [route.method, "HEAD"] : route.method,
    url: route.path,
    config: { route, handler },
    onRequest: async (request) => handler.enter(request),
    handler: async (request, reply) => {
      const raw = Buffer.isBuffer(request.body) ? request.body : undefined;
      const answer = await handler.answer(request, raw, request);
      return send(
        reply,
        behind(answer, () => clientSideOf(request, ports.options.isProxy).prefix),
      );
    },
  });
}

declare module "fastify" {
  interface FastifyContextConfig {
    route?: Route;
    handler?: RouteHandler;
  }
}

/** Replaces the body parsers of the framework: signatures need the exact bytes, and some routes stream. */
export function readBodies(app: FastifyInstance): void {
  const held = new HeldBodies();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", async (request: FastifyRequest) => {
    return await request.routeOptions.config.handler?.read(request.raw, held);
  });
}

interface KnownPath {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** The known paths and their methods. */
export class Paths {
  readonly #known = new Map<string, KnownPath>();

  add({ path, method, head }: Route): void {
    const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/:[A-Za-z]+/g, "[^/]+");
    const known = this.#known.get(path) ?? { pattern: new RegExp(`^${escaped}$`), methods: new Set<string>() };
    known.methods.add(method);
    if (head === true) known.methods.add("HEAD");
    this.#known.set(path, known);
  }

  /** True if a known path starts with `prefix`. */
  isThere(prefix: string): boolean {
    return [...this.#known.keys()].some((path) => path.startsWith(prefix));
  }

  /** The methods of a path; none if the path is unknown. */
  methods(path: string): readonly string[] {
    const methods = new Set<string>();
    for (const known of this.#known.values()) {
      if (known.pattern.test(path)) for (const method of known.methods) methods.add(method);
    }
    return [...methods].sort();
  }
}

/** The identifier of a request: the client's own if it is printable and short, else a new one. */
export function requestId(headers: Readonly<Record<string, unknown>>, { random }: Pick<System, "random">): string {
  const sent = headers["x-men-requestid"];
  return typeof sent === "string" && /^[\x21-\x7e]{1,128}$/.test(sent) ? sent : random.uuid();
}
