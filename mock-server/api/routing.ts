import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { System } from "@upkeep/shared/system";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { invalid } from "../errors.ts";
import type { Answer } from "./answers.ts";
import type { Authenticate } from "./authentication.ts";
import { checkJsonContent, parseJson, readBody } from "./bodies.ts";
import type { ServerOptions } from "./options.ts";
import { originOf } from "./origin.ts";
import { type BodySpec, type Call, jsonBody, type Route, type RouteSpec } from "./route.ts";
import { validated } from "./validation.ts";

const EMPTY = Buffer.alloc(0);

type AnyRoute = RouteSpec<"public" | "device" | "user", unknown, unknown, unknown>;

function send(reply: FastifyReply, { status, headers = {}, body }: Answer): FastifyReply {
  reply.code(status);
  for (const [name, value] of Object.entries(headers)) reply.header(name, value);
  if (body === undefined) {
    // 204 and 304 have no body by themselves; the others must say so.
    if (status !== 204 && status !== 304 && headers["content-length"] === undefined)
      reply.header("content-length", "0");
    return reply.send();
  }
  if ("stream" in body) return reply.send(body.stream);
  if ("bytes" in body) return reply.send(body.bytes);
  if ("text" in body) return reply.send(body.text);
  return reply.header("content-type", "application/json; charset=utf-8").send(JSON.stringify(body.json));
}

function bodyOf(spec: BodySpec<unknown>, raw: Buffer): unknown {
  if (raw.length > 0) return validated(spec.schema, parseJson(raw));
  if (spec.absent === undefined) throw invalid("the request has no body");
  return spec.absent;
}

function caller(request: FastifyRequest, access: AnyRoute["access"]): Call<never, unknown, unknown, unknown>["caller"] {
  if (access === "public") return undefined as never;
  return (access === "device" ? request.callingDevice : request.callingUser) as never;
}

/** Add a route to the application: who may call it, what it reads, what it answers. */
export function addRoute(
  app: FastifyInstance,
  route: Route,
  { authenticate, options }: { authenticate: Authenticate; options: ServerOptions },
): void {
  const spec = route as AnyRoute;
  const json = jsonBody(route);
  app.route({
    method: spec.head === true ? [spec.method, "HEAD"] : spec.method,
    url: spec.path,
    config: { route },
    onRequest: async (request) => {
      await authenticate(request, spec);
      if (request.url.includes("%00")) throw invalid("the request's path has a NUL character (%00)");
      if (json !== undefined) checkJsonContent(request.headers);
    },
    handler: async (request, reply) => {
      const raw = Buffer.isBuffer(request.body) ? request.body : EMPTY;
      const answer = await spec.handle({
        caller: caller(request, spec.access),
        params: spec.params === undefined ? {} : validated(spec.params, request.params),
        query: spec.query === undefined ? {} : validated(spec.query, request.query),
        body: json !== undefined && json.unchecked !== true ? bodyOf(json, raw) : undefined,
        rawBody: raw,
        request,
        origin: options.publicUrl ?? originOf(request),
      });
      return send(reply, answer);
    },
  });
}

declare module "fastify" {
  interface FastifyContextConfig {
    route?: Route;
  }
}

/** Read bodies ourselves: whole, with their exact bytes, and only where a route takes one. */
export function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", async (request: FastifyRequest) => {
    const { route } = request.routeOptions.config;
    const body = route === undefined ? undefined : jsonBody(route);
    if (body === undefined) return undefined;
    return await readBody(request.raw, PROTOCOL_LIMITS.bodyBytesMax, body.tooLarge);
  });
}

interface KnownPath {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Answers for paths and methods that no route takes. */
export class Paths {
  readonly #known = new Map<string, KnownPath>();

  add({ path, method, head }: Route): void {
    const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/:[A-Za-z]+/g, "[^/]+");
    const known = this.#known.get(path) ?? { pattern: new RegExp(`^${escaped}$`), methods: new Set<string>() };
    known.methods.add(method);
    if (head === true) known.methods.add("HEAD");
    this.#known.set(path, known);
  }

  /** True if there is any path that begins so. */
  isThere(prefix: string): boolean {
    return [...this.#known.keys()].some((path) => path.startsWith(prefix));
  }

  /** The methods that a path takes; none if there is no such path. */
  methods(path: string): readonly string[] {
    const methods = new Set<string>();
    for (const known of this.#known.values()) {
      if (known.pattern.test(path)) for (const method of known.methods) methods.add(method);
    }
    return [...methods].sort();
  }
}

/** An identifier for a request: the client's own if it sent a reasonable one. */
export function requestId(headers: Readonly<Record<string, unknown>>, { random }: Pick<System, "random">): string {
  const sent = headers["x-men-requestid"];
  return typeof sent === "string" && /^[\x21-\x7e]{1,128}$/.test(sent) ? sent : random.uuid();
}
