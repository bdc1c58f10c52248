import type { HttpRequest } from "@upkeep/shared/system";
import type { SimulatedAnswer } from "../simulation/index.ts";

/** Whole seconds, as headers have them; never 0 of something. */
export function isoSeconds(ms: number): string {
  return String(Math.ceil(ms / 1000));
}

/** All of what `request` asks for a part of; `undefined` if it is not to be had. */
export async function wholeBody(
  ask: (request: HttpRequest) => Promise<SimulatedAnswer | undefined>,
  request: HttpRequest,
): Promise<{ readonly body: Uint8Array } | undefined> {
  const { range: _, "if-range": __, ...headers } = request.headers ?? {};
  const answer = await ask({ ...request, headers });
  return answer?.status === 200 && answer.body instanceof Uint8Array ? { body: answer.body } : undefined;
}

/** An object, or the range of it that is asked for, as a server has it that knows ranges. */
export function served(bytes: Uint8Array, etag: string, request: HttpRequest): SimulatedAnswer {
  const { range, "if-range": ifRange } = request.headers ?? {};
  const headers = { etag, "accept-ranges": "bytes", "content-type": "application/octet-stream" };
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
  if (match === null || (ifRange !== undefined && ifRange !== etag)) {
    return { status: 200, headers: { ...headers, "content-length": String(bytes.length) }, body: bytes };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? bytes.length : Math.min(Number(match[2]) + 1, bytes.length);
  if (start >= end)
    return {
      status: 416,
      headers: { ...headers, "content-range": `bytes */${bytes.length}` },
      body: new Uint8Array(0),
    };
  return {
    status: 206,
    headers: {
      ...headers,
      "content-length": String(end - start),
      "content-range": `bytes ${start}-${end - 1}/${bytes.length}`,
    },
    body: bytes.subarray(start, end),
  };
}
