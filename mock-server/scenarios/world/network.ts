import type { HttpRequest } from "@upkeep/shared/system";
import type { SignsOfLife } from "../../api/signs-of-life.ts";
import {
  type Ask,
  combined,
  type ExchangeAnswer,
  type ExchangeContext,
  type ExchangeEffect,
  lossOf,
  rangeStart,
} from "../../faults/effects/exchange.ts";
import { exchangeEffectOf, type Strike } from "../../faults/index.ts";
import { type RequestKind, requestKind, STORED } from "../../faults/language/request-kinds.ts";
import { type Instant, instantMs } from "../file/index.ts";
import type { ExchangeOutcome } from "../run/events.ts";

/** A good network: the time from a request to its answer, and the rate of bodies. */
const ROUND_TRIP_MS = 40;
export const BYTES_PER_SECOND = 1024 * 1024;
/** Download bodies arrive, and are counted, in pieces of this size. */
const PIECE_BYTES = 64 * 1024;

/** The server's certificate is valid from this long before the start. */
const CERTIFICATE_AGE_MS = 30 * 86_400_000;

/** The server's certificate. */
export interface ServerCertificate {
  readonly issuer: string;
  /** When it expires: milliseconds since the Unix epoch. */
  readonly untilMs: number;
}

/** How long after the start the server's certificate is good if nothing is said. */
const CERTIFICATE_MS = 400 * 86_400_000;

export function certificateOf(startMs: number, issuer: string, until: Instant | undefined): ServerCertificate {
  return { issuer, untilMs: startMs + (until === undefined ? CERTIFICATE_MS : instantMs(until, startMs)) };
}

/** What a device's certificate check goes by. */
export interface CertificateCheck {
  readonly startMs: number;
  /** What the device's wall clock shows. */
  readonly wallMs: number;
  /** The certificate authorities that the device trusts; `undefined`: any. */
  readonly trusts: readonly string[] | undefined;
}

/** Compares the server's certificate with the device's clock, and with whom the device trusts. */
export function certificateError(
  { issuer, untilMs }: ServerCertificate,
  { startMs, wallMs, trusts }: CertificateCheck,
): ExchangeEffect {
  if (wallMs < startMs - CERTIFICATE_AGE_MS) return { connectError: "CERT_NOT_YET_VALID" };
  if (wallMs > untilMs) return { connectError: "CERT_HAS_EXPIRED" };
  return trusts?.includes(issuer) === false ? { connectError: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" } : {};
}

export interface NetworkPort extends Pick<ExchangeContext, "random" | "artifactWith" | "killServer"> {
  readonly startMs: number;
  /** The server's URL, without a path. No other host is known to the name servers. */
  readonly origin: string;
  /** URL of the proxy that is the only way to the server; without it, the device is in the same network. */
  readonly proxy?: string;
  /** The server's certificate now. */
  certificate(): ServerCertificate;
  /** The certificate authorities that the device trusts; `undefined`: any. */
  trusts(): readonly string[] | undefined;
  /** What the device's wall clock shows. */
  wallMs(): number;
  /** The faults that happen to this exchange. */
  strikes(kind: RequestKind): readonly Strike<"exchange">[];
  readonly ask: Ask<HttpRequest>;
  /** Tells the server that the device takes bytes of a download: the simulated server gives all of them at once. */
  readonly signsOf: (url: string) => Pick<SignsOfLife, "taken" | "ended"> | undefined;
  /** The server's side of an exchange is over. @param outcome `undefined`: the exchange is recorded already. */
  answered(request: HttpRequest, kind: RequestKind, outcome: ExchangeOutcome | undefined): Promise<void>;
  /** The device gets no answer, and the server no request while the device waits for one. */
  failed(kind: RequestKind, fault: string): void;
  arrived(bytes: number): void;
}

/** The simulated network between one device and the server, with the effects of faults. */
export class DeviceNetwork {
  readonly #port: NetworkPort;

  constructor(port: NetworkPort) {
    this.#port = port;
  }

  readonly peer = (request: HttpRequest): Promise<ExchangeAnswer | undefined> => this.#port.ask(request);

  readonly weather = (request: HttpRequest): ExchangeEffect => {
    const kind = requestKind(new URL(request.url).pathname) ?? "other";
    const { random, artifactWith, killServer } = this.#port;
    const context: ExchangeContext = { random, artifactWith, killServer, startBytes: rangeStart(request) };
    const faults = combined(this.#port.strikes(kind).map((strike) => exchangeEffectOf(strike, context)));
    const effect: ExchangeEffect = {
      ...(STORED.includes(kind) ? { bytesPerSecond: BYTES_PER_SECOND } : {}),
      ...faults,
      requestDelayMs: (faults.requestDelayMs ?? 0) + ROUND_TRIP_MS,
      ...this.#noWay(request),
      answer: async (passedOn, ask) => {
        const change = faults.answer ?? ((unchanged, askServer) => askServer(unchanged));
        return await this.#watched(request, kind, effect, () => change(passedOn, ask));
      },
    };
    const loss = lossOf(effect);
    if (loss !== undefined && !loss.isAsked) this.#port.failed(kind, loss.fault);
    return effect;
  };

  /** Why the device cannot connect, whatever faults there are. */
  #noWay({ url, proxy }: HttpRequest): ExchangeEffect {
    if (new URL(url).origin !== this.#port.origin) return { connectError: "ENOTFOUND" };
    if (proxy !== this.#port.proxy) return { connectError: proxy === undefined ? "ENETUNREACH" : "EPROXY" };
    return this.#certificateError();
  }

  async #watched(
    request: HttpRequest,
    kind: RequestKind,
    effect: ExchangeEffect,
    answer: () => Promise<ExchangeAnswer | undefined>,
  ): Promise<ExchangeAnswer | undefined> {
    let answered: ExchangeAnswer | undefined;
    try {
      answered = await answer();
    } finally {
      await this.#port.answered(request, kind, outcomeOf(lossOf(effect), answered));
    }
    const { cutBodyAt: cutAt } = effect;
    if (!STORED.includes(kind) || answered?.body === undefined || answered.status >= 300) return answered;
    return { ...answered, body: this.#counted(answered.body, request.url, cutAt) };
  }

  #certificateError(): ExchangeEffect {
    const { startMs } = this.#port;
    return certificateError(this.#port.certificate(), {
      startMs,
      wallMs: this.#port.wallMs(),
      trusts: this.#port.trusts(),
    });
  }

  async *#counted(
    body: NonNullable<ExchangeAnswer["body"]>,
    url: string,
    cutAt = Number.POSITIVE_INFINITY,
  ): AsyncGenerator<Uint8Array> {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    if (!(bytes instanceof Uint8Array)) throw new TypeError("the simulated server gives downloads as bytes");
    const signs = this.#port.signsOf(url);
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      const piece = bytes.subarray(from, from + PIECE_BYTES);
      this.#port.arrived(Math.max(0, Math.min(piece.length, cutAt - from)));
      yield piece;
      signs?.taken();
    }
  }
}

function outcomeOf(loss: ReturnType<typeof lossOf>, answer: ExchangeAnswer | undefined): ExchangeOutcome | undefined {
  if (loss !== undefined) return loss.isAsked ? { fault: loss.fault } : undefined;
  return answer === undefined ? { fault: "no answer" } : { status: answer.status };
}
