import type { Logger } from "@upkeep/shared/logging";
import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { System } from "@upkeep/shared/system";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { logRequests } from "./api/access-log.ts";
import { authenticator } from "./api/authentication.ts";
import { EventFeed } from "./api/events/feed.ts";
import { answerFailures, refuseBadPath } from "./api/failures.ts";
import { countRequests, RequestMetrics } from "./api/operations/metrics.ts";
import type { ServerOptions } from "./api/options.ts";
import type { Route } from "./api/route.ts";
import { allRoutes } from "./api/routes.ts";
import { addRoute, Paths, readBodies, requestId } from "./api/routing.ts";
import type { Domain } from "./domain.ts";
import type { DownloadLinks } from "./releases/links.ts";
import type { Blobs } from "./storage/blobs/index.ts";

/** What is put on top of the server: routes of its own, and something between it and whoever asks. */
export interface ServerExtension {
  readonly routes: readonly Route[];
  around(listener: Listener): Listener;
}

export interface ServerParts {
  readonly system: System;
  readonly domain: Domain;
  readonly blobs: Blobs;
  readonly links: DownloadLinks;
  readonly options: ServerOptions;
  readonly logger: Logger;
  /** Aborted when the server is about to end: answers that would go on for ever end then. */
  readonly ending?: AbortSignal;
  readonly extension?: ServerExtension;
}

type Listener = (request: FastifyRequest["raw"], response: FastifyReply["raw"]) => void;

declare module "fastify" {
  interface FastifyInstance {
    /** Takes the requests of a real server. */
    readonly listener: Listener;
  }
}

/** The longest identifier in a path: a release's name, every character encoded. */
const PATH_PARAMETER_CHARACTERS_MAX = PROTOCOL_LIMITS.artifactNameMax * 3;

/**
 * The server's application. It does not listen: call it with `inject`, or hand its `listener` to
 * `system/listen.ts`.
 */
export async function buildServer(parts: ServerParts): Promise<FastifyInstance> {
  const { system, domain, options, logger } = parts;
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    genReqId: (request) => requestId(request.headers, system),
    frameworkErrors: refuseBadPath,
    routerOptions: { maxParamLength: PATH_PARAMETER_CHARACTERS_MAX },
  });
  const paths = new Paths();
  const authenticate = authenticator(
    { device: (token) => domain.authentication.verify(token), user: (token) => domain.users.verify(token) },
    options,
  );
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-men-requestid", request.id);
  });
  logRequests(app, logger, system.clock);
  const metrics = new RequestMetrics();
  countRequests(app, metrics, system.clock);
  const feed = new EventFeed(domain.events, system.timers, parts.ending ?? new AbortController().signal);
  app.addHook("onResponse", async ({ method }) => {
    if (method !== "GET" && method !== "HEAD") feed.wake();
  });
  readBodies(app);
  answerFailures(app, paths, logger);
  for (const route of allRoutes({ ...parts, metrics, feed }, parts.extension?.routes)) {
    paths.add(route);
    addRoute(app, route, { authenticate, options });
  }
  app.decorate("listener", parts.extension?.around(app.routing) ?? app.routing);
  await app.ready();
  return app;
}
