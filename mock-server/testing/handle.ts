import { once } from "node:events";
import { Readable } from "node:stream";
import type { InMemory } from "../system/in-memory.ts";

/** Statuses whose answers have no body, not even an empty one. */
const NO_BODY = [204, 205, 304];

/**
 * Ask the server without a socket.
 * @throws TypeError where a connection would break, as `fetch` does.
 */
export async function handleRequest(memory: InMemory, request: Request): Promise<Response> {
  const { pathname, search, host, protocol } = new URL(request.url);
  const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer());
  const sent = memory.request(
    {
      method: request.method,
      path: pathname + search,
      headers: {
        ...Object.fromEntries(request.headers),
        host,
        ...(body === undefined ? {} : { "content-length": String(body.length) }),
      },
      ...(request.signal === null ? {} : { signal: request.signal }),
    },
    { encrypted: protocol === "https:" },
  );
  sent.end(body);
  try {
    const [answer] = (await once(sent, "response")) as [Answer];
    return responseOf(answer, request.method === "HEAD");
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    throw new TypeError("fetch failed", { cause: error });
  }
}

type Answer = Readable & {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};

function responseOf(answer: Answer, headOnly: boolean): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) {
    for (const one of [value ?? []].flat()) headers.append(name, one);
  }
  const status = answer.statusCode ?? 502;
  if (headOnly || NO_BODY.includes(status)) {
    answer.resume();
    return new Response(null, { status, headers });
  }
  return new Response(Readable.toWeb(answer) as ReadableStream<Uint8Array>, { status, headers });
}
