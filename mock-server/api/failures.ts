import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { DomainError } from "../errors.ts";
import { loggedPath } from "./access-log.ts";
import { type Answer, empty, send } from "./answers.ts";
import { HttpError, type Refusal, refusalOf } from "./errors.ts";
import type { Access, ApiRequest, Route } from "./route.ts";
import type { Paths } from "./routing.ts";

/** Path of the control API, which tests use. */
const TEST_CONTROLS = "/api/test/";
const NO_TEST_CONTROLS = "this server was started without --test-controls";

/** @param access The access of the route; absent if no route matched. */
function refused({ id }: Pick<ApiRequest, "id">, access: Access | undefined, refusal: Refusal): Answer {
  const { status, message, metadata, headers = {} } = refusal;
  // A Mender client exits when a 401 on a device route has a body.
  if (status === 401 && access === "device") return empty(status, headers);
  const challenge = status === 401 && access === "user" ? { "www-authenticate": 'Bearer realm="ManagementJWT"' } : {};
  const body = { error: message, ...given({ metadata }), request_id: id };
  return { status, headers: { ...headers, ...challenge }, body: { json: body } };
}

/** Statuses of malformed requests: the client must change them before it repeats them. */
const MALFORMED: ReadonlySet<number> = new Set([400, 413, 415]);

/** The answer to an error: `{error, request_id}`. The cause of a 500 is only in the log. */
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
  // A body that ended early is no fault of the device.
  const whole = error instanceof DomainError || error instanceof HttpError;
  if (whole && refusal !== undefined && MALFORMED.has(refusal.status) && request.callingDevice !== undefined) {
    route?.refused?.(request.callingDevice.deviceId, refusal.message);
  }
  // Devices know 503 and retry; 507 they do not know.
  if (refusal?.status === 507 && route?.access === "device") {
    return refused(request, route.access, { ...refusal, status: 503 });
  }
  return refused(request, route?.access, refusal ?? { status: 500, message: "internal error" });
}

/** Answers errors, unknown paths and unknown methods. */
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

/** Answers a path that cannot be decoded or has too long a parameter. */
export function refuseBadPath(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  reply.header("x-men-requestid", request.id);
  send(reply, refused(request, undefined, refusalOf(error) ?? { status: 400, message: "the path cannot be read" }));
}
