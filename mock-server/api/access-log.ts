import type { LogFields, Logger } from "@upkeep/shared/logging";
import type { Clock } from "@upkeep/shared/system";
import type { DevicePrincipal } from "../devices/index.ts";
import type { UserPrincipal } from "../users/index.ts";
import type { ApiRequest } from "./route.ts";

/** Query parameters whose values are logged, because they are never secrets. */
const SHOWN_PARAMETERS: ReadonlySet<string> = new Set([
  "artifact_name",
  "device_type",
  "group",
  "last_event_id",
  "page",
  "per_page",
  "sort",
  "status",
]);
const NAME = /^[\w.-]{1,40}$/;

/**
 * The path and query for the log. A signature, or a token that a client puts into a query by mistake, would let a reader
 * of the log act as another user: of all other parameters only the name is logged.
 */
export function loggedPath(url: string): string {
  const query = url.indexOf("?");
  if (query < 0) return url;
  const parameters = url.slice(query + 1).split("&");
  return `${url.slice(0, query)}?${parameters.map(loggedParameter).join("&")}`;
}

function loggedParameter(parameter: string): string {
  const equals = parameter.indexOf("=");
  const name = parameter.slice(0, equals);
  if (equals < 0 || !NAME.test(name)) return "…";
  return SHOWN_PARAMETERS.has(name) ? parameter : `${name}=…`;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Milliseconds of the monotonic clock. */
    startedMs: number;
    callingDevice: DevicePrincipal | undefined;
    callingUser: UserPrincipal | undefined;
  }
}

export type LoggedRequest = Pick<ApiRequest, "id" | "method" | "url" | "startedMs" | "callingDevice" | "callingUser">;

/** Logs one line for each request that was answered or broken off. */
export class AccessLog {
  readonly #logger: Logger;
  readonly #clock: Clock;

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  answered(request: LoggedRequest, status: number): void {
    this.#logger.info(`${request.method} ${loggedPath(request.url)} ${status}`, this.#fields(request));
  }

  brokenOff(request: LoggedRequest): void {
    this.#logger.info(`${request.method} ${loggedPath(request.url)} broken off by the client`, this.#fields(request));
  }

  #fields({ callingDevice, callingUser, startedMs, id }: LoggedRequest): LogFields {
    const ms = Math.round(this.#clock.monotonic() - startedMs);
    if (callingDevice !== undefined) return { device: callingDevice.deviceId, ms, request_id: id };
    if (callingUser !== undefined) return { user: callingUser.userId, ms, request_id: id };
    return { ms, request_id: id };
  }
}
