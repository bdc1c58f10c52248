import type { Logger } from "@upkeep/shared/logging";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { loggedPath } from "./access-log.ts";
import { type Refusal, refusalOf } from "./errors.ts";
import type { Paths } from "./routing.ts";

/** Where tests reach into a server that was started for them. */
const TEST_CONTROLS = "/api/test/";
const NO_TEST_CONTROLS = "this server was started without --test-controls";

function refuse(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): FastifyReply {
  const { status, message, metadata, headers = {} } = refusal;
  reply.code(status);
  for (const [name, value] of Object.entries(headers)) reply.header(name, value);
  const access = request.routeOptions.config.route?.access;
  if (status === 401) {
    // A real client ends itself when a 401 on a device route has a body.
    if (access === "device") return reply.header("content-length", "0").send();
    if (access === "user") reply.header("www-authenticate", 'Bearer realm="ManagementJWT"');
  }
  const body = { error: message, ...(metadata === undefined ? {} : { metadata }), request_id: request.id };
  return reply.header("content-type", "application/json; charset=utf-8").send(JSON.stringify(body));
}

/** How everything that goes wrong is answered: `{error, request_id}`; the causes of a 500 stand in the log alone. */
export function answerFailures(app: FastifyInstance, paths: Paths, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const refusal = refusalOf(error);
    if (refusal === undefined || refusal.status >= 500) {
      logger.error(`${request.method} ${loggedPath(request.url)} failed`, { error, request_id: request.id });
    }
    return refuse(request, reply, refusal ?? { status: 500, message: "internal error" });
  });
  app.setNotFoundHandler((request, reply) => {
    const methods = paths.methods(request.url.split("?", 1)[0] ?? "");
    if (methods.length === 0) {
      const controls = request.url.startsWith(TEST_CONTROLS) && !paths.isThere(TEST_CONTROLS);
      if (controls) logger.warning(`${request.method} ${loggedPath(request.url)} is refused: ${NO_TEST_CONTROLS}`);
      return refuse(request, reply, { status: 404, message: controls ? NO_TEST_CONTROLS : "not found" });
    }
    reply.header("allow", methods);
    if (request.method === "OPTIONS") return reply.code(204).send();
    return refuse(request, reply, { status: 405, message: "method not allowed" });
  });
}

/** Answers a path that cannot be decoded, or names something too long to be there. */
export function refuseBadPath(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  reply.header("x-men-requestid", request.id);
  refuse(request, reply, refusalOf(error) ?? { status: 400, message: "the path cannot be read" });
}
