import { DEVICE_PATHS, DeviceProvidesBody, NextRequest } from "@upkeep/shared/protocol";
import type { System } from "@upkeep/shared/system";
import type { DevicePrincipal } from "../../devices/index.ts";
import { DomainError } from "../../errors.ts";
import { batchPerTick } from "../../system/batch-per-tick.ts";
import type { AccessLog, LoggedRequest } from "../access-log.ts";
import { empty, framed } from "../answers.ts";
import { bearerToken } from "../authentication.ts";
import type { RequestMetrics } from "../operations/metrics.ts";
import type { Listener, RawReply, RawRequest } from "../route.ts";
import { requestId } from "../routing.ts";
import { ValidBodies } from "./valid-bodies.ts";

/** Longer bodies need a place in `HeldBodies`. */
const BODY_BYTES_MAX = 16_384;

const NOTHING = framed(empty(204));

export interface FastPathPorts {
  readonly system: Pick<System, "clock" | "random">;
  /** The device of a valid token; `undefined` if that takes a wait. @throws DomainError */
  readonly verifySync: (token: string) => DevicePrincipal | undefined;
  /** The last poll of the device was refused: the ordinary way must see that it polls well again. */
  readonly isRefused: (deviceId: string) => boolean;
  readonly accessLog: AccessLog;
  readonly metrics: RequestMetrics;
}

/**
 * Answers polls of devices without work before the framework sees them: they are most of a server's requests. Every
 * other request, and every poll that is unusual in any way, goes to `ordinary` as it came.
 *
 * INVARIANT: a poll is answered, logged and counted as on the ordinary way (test/mock-server/api/fast-path.test.ts).
 */
export function withFastPath(ordinary: Listener, ports: FastPathPorts): Listener {
  const bodiesOf = new Map<string | undefined, ValidBodies>([
    [DEVICE_PATHS.nextV1, new ValidBodies(DeviceProvidesBody)],
    [DEVICE_PATHS.nextV2, new ValidBodies(NextRequest)],
  ]);
  // At the end of the turn, the body has arrived if it was in the packet of the head.
  const answerLater = batchPerTick<Poll>((polls) => {
    for (const poll of polls) if (!poll.answer()) ordinary(poll.raw, poll.response);
  });
  const recordLater = batchPerTick<Poll>((polls) => {
    for (const poll of polls) poll.record(ports.metrics);
  });
  return (request, response) => {
    const bodies = isPlainPost(request) ? bodiesOf.get(request.url) : undefined;
    const device = bodies === undefined ? undefined : deviceOf(request, ports);
    if (bodies === undefined || device === undefined || device.mayHaveWork || ports.isRefused(device.deviceId)) {
      ordinary(request, response);
    } else answerLater(new Poll(request, response, device, bodies, ports, recordLater));
  };
}

function isPlainPost({ method, headers }: RawRequest): boolean {
  const length = Number(headers["content-length"]);
  return (
    method === "POST" &&
    headers["content-type"] === "application/json" &&
    length > 0 &&
    length <= BODY_BYTES_MAX &&
    headers.expect === undefined
  );
}

/** @returns `undefined` if the ordinary way must find out. */
function deviceOf(request: RawRequest, { verifySync }: FastPathPorts): DevicePrincipal | undefined {
  const token = bearerToken(request);
  if (token === undefined) return undefined;
  try {
    return verifySync(token);
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

/** A poll of a device without work. */
class Poll implements LoggedRequest {
  /** Set when the fast path answers: the ordinary way makes one of its own. */
  id = "";
  readonly method = "POST";
  readonly url: string;
  readonly startedMs: number;
  readonly callingDevice: DevicePrincipal;
  readonly callingUser = undefined;
  readonly raw: RawRequest;
  readonly response: RawReply;
  readonly #bodies: ValidBodies;
  readonly #ports: FastPathPorts;
  readonly #recordLater: (poll: Poll) => void;

  constructor(
    raw: RawRequest,
    response: RawReply,
    device: DevicePrincipal,
    bodies: ValidBodies,
    ports: FastPathPorts,
    recordLater: (poll: Poll) => void,
  ) {
    this.startedMs = ports.system.clock.monotonic();
    this.url = raw.url ?? "";
    this.callingDevice = device;
    this.raw = raw;
    this.response = response;
    this.#bodies = bodies;
    this.#ports = ports;
    this.#recordLater = recordLater;
  }

  /** @returns False if the ordinary way must answer; the request is then as it came. */
  answer(): boolean {
    const { raw, response } = this;
    if (raw.destroyed) {
      this.id = requestId(raw.headers, this.#ports.system);
      this.#ports.accessLog.brokenOff(this);
      return true;
    }
    const body: Buffer | null = raw.read(Number(raw.headers["content-length"]));
    if (body === null) return false;
    if (!this.#bodies.has(body)) {
      raw.unshift(body);
      return false;
    }
    this.id = requestId(raw.headers, this.#ports.system);
    // The stream ends only when it is read past its last byte.
    raw.read();
    response.on("finish", () => this.#recordLater(this));
    response.writeHead(NOTHING.status, { "x-men-requestid": this.id, ...NOTHING.headers }).end();
    return true;
  }

  record(metrics: RequestMetrics): void {
    const { accessLog, system } = this.#ports;
    const { statusCode } = this.response;
    accessLog.answered(this, statusCode);
    metrics.count(this.method, this.url, statusCode, (system.clock.monotonic() - this.startedMs) / 1000);
  }
}
