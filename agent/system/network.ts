import type * as http from "node:http";
import { type HttpBody, type HttpRequest, type HttpResponse, type Network, SystemError } from "@upkeep/shared/system";
import { asSystemError } from "./errors.ts";
import { type HttpAdapter, httpAdapter } from "./http-adapter.ts";
import { monotonicMs } from "./time.ts";
import { KEPT_CONNECTIONS_MAX } from "./tls.ts";

/** Requests that may be made twice (RFC 9110, 9.2.2). */
const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]);

/** How often in an idle timeout it is looked whether bytes moved. */
const LOOKS = 4;

function stalled(url: string, idleTimeoutMs: number): SystemError {
  return new SystemError("ETIMEDOUT", `${new URL(url).host} sent and took nothing for ${idleTimeoutMs / 1000} s`);
}

/** Calls `breakOff` when neither direction has moved for so long, name look-up and connecting included. */
function breakOffWhenIdle(
  request: http.ClientRequest,
  breakOff: (reason: SystemError) => void,
  { url, idleTimeoutMs }: HttpRequest,
): () => void {
  let moved = -1;
  let movedAt = monotonicMs();
  const look = (): void => {
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
  look();
  const timer = setInterval(look, Math.max(1, idleTimeoutMs / LOOKS));
  return () => clearInterval(timer);
}

/**
 * The body's chunks. The clock runs only while we wait for the peer, not while the peer waits for us. When the
 * connection breaks, what had come by then is handed over first: nobody need fetch it twice. (Node's own
 * iterator would drop it.)
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
  // What breaks the body is told to whoever reads it; if nobody does, it is of no interest.
  message.on("error", () => undefined);
  message.on("close", () => signal?.removeEventListener("abort", cancel));
  signal?.addEventListener("abort", cancel, { once: true });
  const headers: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(message.headers)) if (value !== undefined) headers[name] = value;
  const body: HttpBody = { [Symbol.asyncIterator]: () => chunksOf(message, request) };
  return { status: message.statusCode ?? 0, headers, body, cancel };
}

/** axios, loaded with the first request: a command that needs no network does not pay for it. */
async function throughAxios(request: HttpRequest, adapter: HttpAdapter): Promise<http.IncomingMessage> {
  const { default: axios } = await import("axios");
  const { method, url, headers = {}, body, signal } = request;
  const given = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const answer = await axios.request<http.IncomingMessage>({
    adapter,
    method,
    url,
    // axios would name a content type by itself.
    headers: { accept: "*/*", "accept-encoding": "identity", "content-type": false, ...Object.fromEntries(given) },
    ...(body === undefined ? {} : { data: Buffer.from(body) }),
    transformRequest: [(data: unknown) => data],
    transformResponse: [(data: unknown) => data],
    responseType: "stream",
    // Proxies are given with each request; axios is to read no environment.
    proxy: false,
    validateStatus: () => true,
    ...(signal === undefined ? {} : { signal }),
  });
  return answer.data;
}

/** One try. `stale` tells whether it failed on a kept connection that the peer had closed meanwhile. */
async function attempt(
  request: HttpRequest,
): Promise<{ answer: HttpResponse } | { fault: SystemError; stale: boolean }> {
  const { signal } = request;
  let sent: http.ClientRequest | undefined;
  let stopWatching: () => void = () => undefined;
  const adapter = httpAdapter(request, (made, breakOff) => {
    sent = made;
    stopWatching = breakOffWhenIdle(made, breakOff, request);
  });
  try {
    return { answer: answerOf(await throughAxios(request, adapter), request) };
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

/** HTTP/1.1 through axios. */
export const linuxNetwork: Network = { request };
