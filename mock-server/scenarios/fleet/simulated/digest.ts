import type { Clock, HttpRequest, Network } from "@upkeep/shared/system";

/** Constants of the 32-bit FNV-1a hash. */
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** A fast, non-cryptographic digest of all requests with their times and answers. */
export class ExchangeDigest {
  readonly #clock: Pick<Clock, "monotonic">;
  #low = BASIS;
  #high = ~BASIS;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  get hex(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** A network that adds all exchanges to the digest. */
  over(network: Network): Network {
    return {
      request: async (request) => {
        const answer = await network.request(request);
        this.#add(request, answer.status);
        return answer;
      },
    };
  }

  #add({ url, body }: HttpRequest, status: number): void {
    const atMs = this.#clock.monotonic();
    this.#word(Math.floor(atMs));
    this.#word(Math.floor((atMs % 1) * 2 ** 31));
    this.#word(status);
    this.#text(url);
    if (typeof body === "string") this.#text(body);
  }

  #text(text: string): void {
    for (let at = 0; at < text.length; at += 1) this.#low = Math.imul(this.#low ^ text.charCodeAt(at), PRIME);
    this.#word(text.length);
  }

  #word(word: number): void {
    this.#low = Math.imul(this.#low ^ word, PRIME);
    this.#high = Math.imul(this.#high ^ this.#low ^ (this.#low >>> 15), PRIME);
  }
}
