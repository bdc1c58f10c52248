import type { Logger } from "@upkeep/shared/logging";
import type { Clock } from "@upkeep/shared/system";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { DevicePrincipal } from "../devices/index.ts";
import { LINK_PARAMETERS } from "../releases/links.ts";
import type { UserPrincipal } from "../users/index.ts";

const SECRET_PARAMETERS = new RegExp(`([?&](?:${LINK_PARAMETERS.join("|")}))=[^&]*`, "gi");

/** The path and query of a request without what would let a reader of the log act as somebody else. */
export function loggedPath(url: string): string {
  return url.replace(SECRET_PARAMETERS, "$1=…");
}

declare module "fastify" {
  interface FastifyRequest {
    /** Milliseconds of the monotonic clock. */
    startedMs: number;
    callingDevice: DevicePrincipal | undefined;
    callingUser: UserPrincipal | undefined;
  }
}

function caller(request: FastifyRequest): { device: string } | { user: string } | Record<string, never> {
  if (request.callingDevice !== undefined) return { device: request.callingDevice.deviceId };
  return request.callingUser === undefined ? {} : { user: request.callingUser.userId };
}

/** One line for each request that was answered, and one for each that broke off. */
export function logRequests(app: FastifyInstance, logger: Logger, clock: Clock): void {
  app.decorateRequest("startedMs", 0);
  app.decorateRequest("callingDevice", undefined);
  app.decorateRequest("callingUser", undefined);
  const fields = (request: FastifyRequest) => ({
    ...caller(request),
    ms: Math.round(clock.monotonic() - request.startedMs),
    request_id: request.id,
  });
  app.addHook("onRequest", (request, _reply, done) => {
    request.startedMs = clock.monotonic();
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    const line = `${request.method} ${loggedPath(request.url)} ${reply.statusCode}`;
    logger.info(line, fields(request));
    done();
  });
  app.addHook("onRequestAbort", (request, done) => {
    logger.info(`${request.method} ${loggedPath(request.url)} broken off by the client`, fields(request));
    done();
  });
}
