import { collectText, type HttpResponse } from "@upkeep/shared/system";
import type { Http, Question } from "upkeep/index.ts";
import type { SharedDoor } from "../virtual-door.ts";

const ANSWER_BYTES_MAX = 1024 * 1024;
const IDLE_MS = 60_000;

/**
 * What the agent's client of HTTP does for a server that answers at once, in full, and without redirects: it sends the
 * token, and renews it once if it is refused. The rest of that client costs more than the server's answer.
 */
export class DirectHttp implements Http {
  readonly #door: SharedDoor;

  constructor(door: SharedDoor) {
    this.#door = door;
  }

  now(): number {
    return this.#door.clock.now();
  }

  async ask(question: Question): Promise<HttpResponse> {
    const answer = await this.#send(question);
    if (answer.status !== 401 || question.bearer === undefined) return answer;
    answer.cancel();
    await question.bearer.renew();
    return await this.#send(question);
  }

  #send({ method, url, headers = {}, body, bearer }: Question): Promise<HttpResponse> {
    const request = {
      method,
      url,
      headers: bearer === undefined ? headers : { ...headers, authorization: `Bearer ${bearer.token}` },
      idleTimeoutMs: IDLE_MS,
    };
    return this.#door.network.request(body === undefined ? request : { ...request, body });
  }

  text({ body }: HttpResponse): Promise<string> {
    return collectText(body, ANSWER_BYTES_MAX);
  }

  fault(error: unknown): unknown {
    return error;
  }
}
