import type { IncomingMessage } from "node:http";
import type { CameOver } from "../../system/in-memory.ts";
import type { ExchangeAnswer } from "../effects/exchange.ts";

/** More than any request of a device that is not a download. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Headers that describe a connection, not a message. */
const HOP_BY_HOP = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/** A whole request, ready to be sent over another connection. */
export interface CarriedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
  readonly cameOver: CameOver;
}

export interface CarriedAnswer extends ExchangeAnswer {
  /** Breaks off the connection that the answer comes over. */
  readonly stop: () => void;
}

export async function readRequest(request: IncomingMessage): Promise<CarriedRequest> {
  const { method = "GET", url = "/" } = request;
  const body = await bodyOf(request);
  const headers = endToEnd(request.headers);
  // What was sent in pieces goes on in one.
  if (body.length > 0) headers["content-length"] = String(body.length);
  const { socket } = request;
  const cameOver = { remoteAddress: socket.remoteAddress, encrypted: "encrypted" in socket };
  return { method, url, headers, body, cameOver };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of request) {
    total += (chunk as Buffer).length;
    if (total > BODY_BYTES_MAX) throw new RangeError(`a body is larger than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

export function readAnswer(message: IncomingMessage): CarriedAnswer {
  return {
    status: message.statusCode ?? 502,
    headers: endToEnd(message.headers),
    body: message,
    discard: () => void message.resume(),
    stop: () => void message.destroy(),
  };
}

function endToEnd(headers: IncomingMessage["headers"]): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || HOP_BY_HOP.includes(name) ? [] : [[name, value]],
    ),
  );
}
