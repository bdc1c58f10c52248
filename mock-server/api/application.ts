import type { Logger } from "@upkeep/shared/logging";
import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { Clock, System } from "@upkeep/shared/system";
import Fastify, { type FastifyInstance } from "fastify";
import type { Domain } from "../domain.ts";
import type { DownloadLinks } from "../releases/links.ts";
import type { Blobs } from "../storage/blobs/index.ts";
import type { ConnectionCounts } from "../system/connection-counts.ts";
import { AccessLog } from "./access-log.ts";
import { NO_STORE } from "./answers.ts";
import { authenticator } from "./authentication.ts";
import { PollRefusals } from "./devices/poll-refusals.ts";
import { EventFeed } from "./events/feed.ts";
import { answerFailures, refuseBadPath } from "./failures.ts";
import { withFastPath } from "./fast-path/fast-path.ts";
import type { IndexingView } from "./management/artifact-shape.ts";
import { RequestMetrics } from "./operations/metrics.ts";
import type { ServerOptions } from "./options.ts";
import type { Listener, Route } from "./route.ts";
import { allRoutes } from "./routes.ts";
import { addRoute, Paths, readBodies, requestId } from "./routing.ts";
import { SessionCookie } from "./session-cookie.ts";

/** Adds routes to the server, and a layer around its listener. */
export interface ServerExtension {
  readonly routes: readonly Route[];
  around(listener: Listener): Listener;
}

export interface ApplicationParts {
  readonly system: System;
  readonly domain: Domain;
  readonly blobs: Blobs;
  readonly links: DownloadLinks;
  readonly options: ServerOptions;
  readonly logger: Logger;
  /** Aborted when the server is about to end: ends streams of events. */
  readonly ending?: AbortSignal;
  readonly extension?: ServerExtension;
  /** For the metrics. */
  readonly connections?: ConnectionCounts;
  /** Free bytes of the file system with the data. Absent: the data are not in files. */
  readonly freeBytes?: () => Promise<number>;
  /** Adaptive downloads are offered. Absent: all downloads are plain. */
  readonly indexing?: IndexingView;
  /** Pages for browsers. They are no part of the API document. */
  readonly pages?: readonly Route[];
  /** Answers polls without work before the framework. Default: true. */
  readonly fastPath?: boolean;
}

declare module "fastify" {
  interface FastifyInstance {
    /** Answers the requests of a listening socket. */
    readonly listener: Listener;
  }
}

const MANAGEMENT = "/api/management/";

/** The longest identifier in a path: a release's name, every character encoded. */
const PATH_PARAMETER_CHARACTERS_MAX = PROTOCOL_LIMITS.textMax * 3;

/**
 * The server's application. It does not listen: call it with `inject`, or hand its `listener` to
 * `system/listen.ts`.
 */
export async function buildApplication(parts: ApplicationParts): Promise<FastifyInstance> {
  const { system, domain, options, logger, fastPath = true } = parts;
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    genReqId: (request) => requestId(request.headers, system),
    frameworkErrors: refuseBadPath,
    routerOptions: { maxParamLength: PATH_PARAMETER_CHARACTERS_MAX },
  });
  const paths = new Paths();
  const sessionCookie = new SessionCookie(domain.linkSecret);
  const authenticate = authenticator(
    {
      device: (token) => domain.authentication.verify(token),
      user: (token) => domain.users.verify(token),
    },
    sessionCookie,
    options,
  );
  const accessLog = new AccessLog(logger, system.clock);
  const metrics = new RequestMetrics();
  const feed = new EventFeed(domain.events, system.timers, parts.ending ?? new AbortController().signal);
  observeRequests(app, system.clock, { accessLog, metrics, feed });
  readBodies(app);
  answerFailures(app, paths, logger);
  const refusals = new PollRefusals(domain.inventory, system.clock, logger);
  const routes = allRoutes({ ...parts, sessionCookie, metrics, feed, refusals }, parts.extension?.routes);
  for (const route of [...routes, ...(parts.pages ?? [])]) {
    paths.add(route);
    addRoute(app, route, { authenticate, options });
  }
  const verifySync = (token: string) => domain.authentication.verifySync(token);
  const isRefused = (deviceId: string) => refusals.has(deviceId);
  const listener = fastPath
    ? withFastPath(app.routing, { system, verifySync, isRefused, accessLog, metrics })
    : app.routing;
  app.decorate("listener", parts.extension?.around(listener) ?? listener);
  await app.ready();
  return app;
}

/** Logs and counts the requests of the framework, and wakes listeners of events after changes. */
function observeRequests(
  app: FastifyInstance,
  clock: Clock,
  { accessLog, metrics, feed }: { accessLog: AccessLog; metrics: RequestMetrics; feed: EventFeed },
): void {
  app.decorateRequest("startedMs", 0);
  app.decorateRequest("callingDevice", undefined);
  app.decorateRequest("callingUser", undefined);
  app.addHook("onRequest", (request, reply, done) => {
    request.startedMs = clock.monotonic();
    reply.header("x-men-requestid", request.id);
    // These answers are for one user, and some contain tokens and signed links.
    if (request.url.startsWith(MANAGEMENT)) reply.headers(NO_STORE);
    done();
  });
  app.addHook("onResponse", (request, { statusCode }, done) => {
    accessLog.answered(request, statusCode);
    metrics.count(
      request.method,
      request.routeOptions.config.route?.path,
      statusCode,
      (clock.monotonic() - request.startedMs) / 1000,
    );
    if (request.method !== "GET" && request.method !== "HEAD") feed.wake();
    done();
  });
  app.addHook("onRequestAbort", (request, done) => {
    accessLog.brokenOff(request);
    done();
  });
}
