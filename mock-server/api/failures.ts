import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { DomainError } from "../errors.ts";
import { loggedPath } from "./access-log.ts";
import { type Answer, empty, send } from "./answers.ts";
import { HttpError, type Refusal, refusalOf } from "./errors.ts";
import type { Access, ApiRequest, Route } from "./route.ts";
import type { Paths } from "./routing.ts";

/** Where tests reach into a server that was started for them. */
const TEST_CONTROLS = "/api/test/";
const NO_TEST_CONTROLS = "this server was started without --test-controls";

/** @param access Of the route; absent: there is none. */
function refused({ id }: Pick<ApiRequest, "id">, access: Access | undefined, refusal: Refusal): Answer {
  const { status, message, metadata, headers = {} } = refusal;
  // A real client ends itself when a 401 on a device route has a body.
  if (status === 401 && access === "device") return empty(status, headers);
  const challenge = status === 401 && access === "user" ? { "www-authenticate": 'Bearer realm="ManagementJWT"' } : {};
  const body = { error: message, ...given({ metadata }), request_id: id };
  return { status, headers: { ...headers, ...challenge }, body: { json: body } };
}

/** What the client must send otherwise, as opposed to what was too early, forbidden or in conflict. */
const MALFORMED: ReadonlySet<number> = new Set([400, 413, 415]);

/** How an error is answered: `{error, request_id}`; the causes of a 500 stand in the log alone. */
export function answerFailure(
  error: unknown,
  request: ApiRequest,
  route: Pick<Route, "access" | "refused"> | undefined,
  logger: Logger,
): Answer {
  const refusal = refusalOf(error);
  if (refusal === undefined || refusal.status >= 500) {
    logger.error(`${request.method} ${loggedPath(request.url)} failed`, { error, request_id: request.id });
  }
  // A body that broke off was not refused.
  const whole = error instanceof DomainError || error instanceof HttpError;
  if (whole && refusal !== undefined && MALFORMED.has(refusal.status) && request.callingDevice !== undefined) {
    route?.refused?.(request.callingDevice.deviceId, refusal.message);
  }
  // Clients of devices know 503, and come back later.
  if (refusal?.status === 507 && route?.access === "device") {
    return refused(request, route.access, { ...refusal, status: 503 });
  }
  return refused(request, route?.access, refusal ?? { status: 500, message: "internal error" });
}

/** Answer everything that goes wrong where the framework carries requests. */
export function answerFailures(app: FastifyInstance, paths: Paths, logger: Logger): void {
  app.setErrorHandler((error, request, reply) =>
    send(reply, answerFailure(error, request, request.routeOptions.config.route, logger)),
  );
  app.setNotFoundHandler((request, reply) => {
    const methods = paths.methods(request.url.split("?", 1)[0] ?? "");
    if (methods.length === 0) {
      const controls = request.url.startsWith(TEST_CONTROLS) && !paths.isThere(TEST_CONTROLS);
      if (controls) logger.warning(`${request.method} ${loggedPath(request.url)} is refused: ${NO_TEST_CONTROLS}`);
      return send(
        reply,
        refused(request, undefined, { status: 404, message: controls ? NO_TEST_CONTROLS : "not found" }),
      );
    }
    reply.header("allow", methods);
    if (request.method === "OPTIONS") return reply.code(204).send();
    return send(reply, refused(request, undefined, { status: 405, message: "method not allowed" }));
  });
}

/** Answers a path that cannot be decoded, or names something too long to be there. */
export function refuseBadPath(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  reply.header("x-men-requestid", request.id);
  send(reply, refused(request, undefined, refusalOf(error) ?? { status: 400, message: "the path cannot be read" }));
}
