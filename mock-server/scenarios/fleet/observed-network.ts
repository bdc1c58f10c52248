import { type Clock, type HttpRequest, type HttpResponse, isSystemError, type Network } from "@upkeep/shared/system";
import { exchangeKind } from "../wire/kinds.ts";
import type { FleetFigures } from "./figures.ts";

/** Path and query of an absolute URL, without a full parse: this runs for each request. */
function pathOf(url: string): string {
  const slash = url.indexOf("/", url.indexOf("//") + 2);
  return slash < 0 ? "/" : url.slice(slash);
}

/** Passes requests on and counts their results. */
export class ObservedNetwork implements Network {
  readonly #inner: Network;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #figures: FleetFigures;

  constructor(inner: Network, clock: Pick<Clock, "monotonic">, figures: FleetFigures) {
    this.#inner = inner;
    this.#clock = clock;
    this.#figures = figures;
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    const begunMs = this.#clock.monotonic();
    try {
      const answer = await this.#inner.request(request);
      this.#figures.answered(exchangeKind(pathOf(request.url)), answer.status, this.#clock.monotonic() - begunMs);
      return answer;
    } catch (error) {
      if (isSystemError(error)) this.#figures.unanswered(error.code);
      throw error;
    }
  }
}
