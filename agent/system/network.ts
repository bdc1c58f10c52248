import type * as http from "node:http";
import {
  type HttpBody,
  type HttpHeaders,
  type HttpRequest,
  type HttpResponse,
  type Network,
  SystemError,
} from "@upkeep/shared/system";
import { asSystemError } from "./errors.ts";
import { contentReceived } from "./garbage.ts";
import { sendRequest } from "./http-request.ts";
import { monotonicMs } from "./time.ts";
import { KEPT_CONNECTIONS_MAX } from "./tls.ts";

/** Requests that may be made twice (RFC 9110, 9.2.2). */
const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]);

/** How often per idle timeout the moved bytes are counted. */
const CHECKS = 4;

function stalled(url: string, idleTimeoutMs: number): SystemError {
  return new SystemError("ETIMEDOUT", `${new URL(url).host} sent and took nothing for ${idleTimeoutMs / 1000} s`);
}

/** Calls `breakOff` after `idleTimeoutMs` without a byte in either direction, name look-up and connecting included. */
function breakOffWhenIdle(
  request: http.ClientRequest,
  breakOff: (reason: SystemError) => void,
  { url, idleTimeoutMs }: HttpRequest,
): () => void {
  let moved = -1;
  let movedAt = monotonicMs();
  const check = (): void => {
    const { socket } = request;
    const now = monotonicMs();
    const bytes = socket ? socket.bytesRead + socket.bytesWritten - socket.writableLength : 0;
    if (bytes !== moved) {
      moved = bytes;
      movedAt = now;
    } else if (now - movedAt >= idleTimeoutMs) {
      breakOff(stalled(url, idleTimeoutMs));
    }
  };
  check();
  const timer = setInterval(check, Math.max(1, idleTimeoutMs / CHECKS));
  return () => clearInterval(timer);
}

/**
 * The body's chunks. The idle timeout runs only while we wait for the peer, not while the peer waits for us. When the
 * connection breaks, the bytes received by then are yielded first, so that they are not downloaded again. (Node's own
 * iterator drops them.)
 */
async function* chunksOf(message: http.IncomingMessage, request: HttpRequest): AsyncGenerator<Buffer> {
  const { url, idleTimeoutMs, signal } = request;
  let wake: () => void = () => undefined;
  for (const event of ["readable", "end", "error", "close"]) message.on(event, () => wake());
  let waiting = false;
  const timer = setTimeout(() => {
    if (waiting) message.destroy(stalled(url, idleTimeoutMs));
  }, idleTimeoutMs);
  try {
    for (;;) {
      signal?.throwIfAborted();
      const chunk: Buffer | null = message.read();
      if (chunk !== null) {
        yield chunk;
        contentReceived(chunk.length);
      } else if (message.readableEnded) {
        return;
      } else if (message.destroyed) {
        throw brokenBody(message, url);
      } else {
        timer.refresh();
        waiting = true;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        waiting = false;
      }
    }
  } finally {
    clearTimeout(timer);
    message.destroy();
  }
}

function brokenBody({ errored }: http.IncomingMessage, url: string): SystemError {
  const fault = asSystemError(errored ?? new SystemError("ECONNRESET", "closed"));
  if (fault.code !== "ECONNRESET") return fault;
  return new SystemError("ECONNRESET", `${new URL(url).host} closed the connection before the end`, { cause: fault });
}

function answerOf(message: http.IncomingMessage, request: HttpRequest): HttpResponse {
  const { signal } = request;
  const cancel = (): void => {
    message.destroy();
  };
  // The reader of the body gets the error; without a reader it has no meaning.
  message.on("error", () => undefined);
  message.on("close", () => signal?.removeEventListener("abort", cancel));
  signal?.addEventListener("abort", cancel, { once: true });
  const headers: HttpHeaders = Object.fromEntries(
    Object.entries(message.headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const body: HttpBody = { [Symbol.asyncIterator]: () => chunksOf(message, request) };
  return { status: message.statusCode ?? 0, headers, body, cancel };
}

/** One attempt. `stale`: it failed on a kept connection that the peer had closed meanwhile. */
async function attempt(
  request: HttpRequest,
): Promise<{ answer: HttpResponse } | { fault: SystemError; stale: boolean }> {
  const { signal } = request;
  let sent: http.ClientRequest | undefined;
  let stopWatching: () => void = () => undefined;
  try {
    const message = await sendRequest(request, (made, breakOff) => {
      sent = made;
      stopWatching = breakOffWhenIdle(made, breakOff, request);
    });
    return { answer: answerOf(message, request) };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const fault = asSystemError(error);
    const closed = fault.code === "ECONNRESET" || fault.code === "EPIPE";
    return { fault, stale: closed && sent?.reusedSocket === true };
  } finally {
    stopWatching();
  }
}

async function request(wanted: HttpRequest): Promise<HttpResponse> {
  for (let kept = KEPT_CONNECTIONS_MAX; ; kept--) {
    const outcome = await attempt(wanted);
    if ("answer" in outcome) return outcome.answer;
    if (!outcome.stale || kept === 0 || !IDEMPOTENT.has(wanted.method)) throw outcome.fault;
  }
}

/** HTTP/1.1 with Node's own client. */
export const linuxNetwork: Network = { request };
