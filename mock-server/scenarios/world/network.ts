import type { HttpRequest } from "@upkeep/shared/system";
import type { SignsOfLife } from "../../api/signs-of-life.ts";
import type { Strike } from "../../faults/index.ts";
import { type RequestKind, requestKind } from "../../faults/request-kinds.ts";
import type { SeededRandom } from "../../system/seeded-random.ts";
import type { Disturbance, SimulatedAnswer } from "../simulation/index.ts";
import type { Defect } from "./artifacts.ts";
import { type Ask, type Interference, interferenceOf } from "./interference.ts";

/** How a good network is: from a request to its answer, and how fast bodies come. */
const ROUND_TRIP_MS = 40;
const BYTES_PER_SECOND = 1024 * 1024;

/** The server's certificate is good from so long before the start until so long after it. */
const CERTIFICATE_MS = { before: 30 * 86_400_000, after: 400 * 86_400_000 } as const;

export interface NetworkPort {
  readonly chance: SeededRandom;
  readonly startMs: number;
  /** What the device's wall clock shows. */
  wallMs(): number;
  /** Which faults happen to this exchange. */
  strikes(kind: RequestKind): {
    readonly exchange: readonly Strike<"exchange">[];
    readonly server: readonly Strike<"server">[];
  };
  readonly ask: Ask;
  readonly artifactWith: (url: string, defect: Defect) => Promise<Uint8Array | undefined>;
  killServer(backAfterMs: number): void;
  /** Notices for the server that bytes of a download are taken: it hands all of them out at once here. */
  readonly signsOf: (url: string) => Pick<SignsOfLife, "taken" | "ended"> | undefined;
  /** An exchange is over: answered with this, or not at all. */
  answered(request: HttpRequest, kind: RequestKind, answer: SimulatedAnswer | undefined): Promise<void>;
  failed(kind: RequestKind, fault: string): void;
  arrived(bytes: number): void;
}

/** The way of one device to the server, with all that goes wrong on it. */
export class DeviceNetwork {
  readonly #port: NetworkPort;
  readonly #interferences = new WeakMap<HttpRequest, { readonly kind: RequestKind; readonly of: Interference }>();

  constructor(port: NetworkPort) {
    this.#port = port;
  }

  readonly weather = (request: HttpRequest): Disturbance => {
    const kind = requestKind(new URL(request.url).pathname) ?? "other";
    const { exchange, server } = this.#port.strikes(kind);
    const { chance, ask, artifactWith } = this.#port;
    const of = interferenceOf(exchange, { request, kind, chance, ask: this.#serverAsk(server, ask), artifactWith });
    this.#interferences.set(request, { kind, of });
    const disturbance: Disturbance = {
      ...(kind === "download" ? { bytesPerSecond: BYTES_PER_SECOND } : {}),
      ...of.disturbance,
      requestDelayMs: (of.disturbance.requestDelayMs ?? 0) + ROUND_TRIP_MS,
      ...serverDisturbance(server, of.disturbance),
      ...this.#byCertificate(),
    };
    const { refused, loseRequest, loseAnswer, strayMs } = disturbance;
    const fault = refused ?? (loseRequest === undefined ? undefined : `request lost: ${loseRequest}`);
    if (fault !== undefined) this.#port.failed(kind, fault);
    else if (strayMs !== undefined) this.#port.failed(kind, "request late");
    else if (loseAnswer !== undefined) this.#port.failed(kind, `answer lost: ${loseAnswer}`);
    return disturbance;
  };

  readonly peer = async (request: HttpRequest): Promise<SimulatedAnswer | undefined> => {
    const known = this.#interferences.get(request);
    if (known === undefined) throw new Error("a request that no weather was made for");
    const answer = await known.of.answer(request);
    await this.#port.answered(request, known.kind, answer);
    if (known.kind !== "download" || answer === undefined || answer.status >= 300) return answer;
    return { ...answer, body: this.#counted(answer.body, request.url, known.of.disturbance.cutBodyAt) };
  };

  /** A server that is killed before it has acted on a request, or just after that. */
  #serverAsk(strikes: readonly Strike<"server">[], ask: Ask): Ask {
    const kill = strikes.find((strike) => strike.fault === "server_killed");
    if (kill === undefined || kill.fault !== "server_killed") return ask;
    const { when, back_after } = kill.value;
    return async (request) => {
      if (when === "before") this.#port.killServer(back_after);
      const answer = await ask(request);
      if (when === "after") this.#port.killServer(back_after);
      return answer;
    };
  }

  /** What the device's clock makes of the server's certificate. */
  #byCertificate(): Disturbance {
    const { startMs } = this.#port;
    const wallMs = this.#port.wallMs();
    if (wallMs < startMs - CERTIFICATE_MS.before) return { refused: "CERT_NOT_YET_VALID" };
    return wallMs > startMs + CERTIFICATE_MS.after ? { refused: "CERT_HAS_EXPIRED" } : {};
  }

  async *#counted(
    body: SimulatedAnswer["body"],
    url: string,
    cutAt = Number.POSITIVE_INFINITY,
  ): AsyncGenerator<Uint8Array> {
    if (!(body instanceof Uint8Array)) return;
    const pieceBytes = 64 * 1024;
    const signs = this.#port.signsOf(url);
    for (let from = 0; from < body.length; from += pieceBytes) {
      const piece = body.subarray(from, from + pieceBytes);
      this.#port.arrived(Math.max(0, Math.min(piece.length, cutAt - from)));
      yield piece;
      signs?.taken();
    }
  }
}

function serverDisturbance(strikes: readonly Strike<"server">[], { answerDelayMs = 0 }: Disturbance): Disturbance {
  let delayMs = answerDelayMs;
  let killed = false;
  for (const strike of strikes) {
    if (strike.fault === "database_slow") delayMs += strike.value;
    else killed = true;
  }
  return { ...(delayMs === 0 ? {} : { answerDelayMs: delayMs }), ...(killed ? { loseAnswer: "reset" as const } : {}) };
}
