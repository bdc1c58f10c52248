import { createHash } from "node:crypto";
import { type HttpRequest, isSystemError, type Network } from "@upkeep/shared/system";

/** What a device gets of one exchange. */
export interface Experience {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Size and digest of the body, as far as it came. */
  readonly body?: string;
  /** Code of the error that the exchange ended with. */
  readonly error?: string;
  /** What the server got. */
  readonly delivered: number;
}

/** Headers that a device acts on. */
const HEADERS = ["content-type", "content-length", "content-range", "etag", "retry-after", "accept-ranges"];
const REDIRECTS_MAX = 3;

/** One exchange over this network, as the agent makes it: a redirect to the same place is followed. */
export async function experience(network: Network, request: HttpRequest): Promise<Omit<Experience, "delivered">> {
  const seen: { status?: number; headers?: Record<string, string>; body?: string } = {};
  const digest = createHash("sha256");
  let bytes = 0;
  try {
    let answer = await network.request(request);
    for (let redirects = 0; answer.status === 307 && redirects < REDIRECTS_MAX; redirects++) {
      answer.cancel();
      answer = await network.request({
        ...request,
        url: new URL(String(answer.headers.location), request.url).href,
      });
    }
    seen.status = answer.status;
    seen.headers = Object.fromEntries(
      HEADERS.flatMap((name) => (answer.headers[name] === undefined ? [] : [[name, String(answer.headers[name])]])),
    );
    for await (const chunk of answer.body) {
      bytes += chunk.length;
      digest.update(chunk);
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (seen.status !== undefined) seen.body = `${bytes} bytes`;
    return { ...seen, error: error.code };
  }
  return { ...seen, body: `${bytes} bytes ${digest.digest("hex").slice(0, 16)}` };
}
