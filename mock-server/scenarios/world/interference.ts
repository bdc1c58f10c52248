import type { HttpRequest } from "@upkeep/shared/system";
import type { FaultValue, Strike } from "../../faults/index.ts";
import type { RequestKind } from "../../faults/request-kinds.ts";
import type { SeededRandom } from "../../system/seeded-random.ts";
import type { Disturbance, SimulatedAnswer } from "../simulation/index.ts";
import type { Defect } from "./artifacts.ts";
import { otherObject } from "./artifacts.ts";
import { isoSeconds, served, wholeBody } from "./serving.ts";

/** What the other side answers when nothing goes wrong; `undefined`: nobody listens. */
export type Ask = (request: HttpRequest) => Promise<SimulatedAnswer | undefined>;

/** What the faults of one exchange do to it. */
export interface Interference {
  readonly disturbance: Disturbance;
  readonly answer: Ask;
}

/** What is known of the exchange that faults happen to. */
export interface ExchangeContext {
  readonly request: HttpRequest;
  readonly kind: RequestKind;
  readonly chance: SeededRandom;
  readonly ask: Ask;
  /** The artifact behind a download link, with a defect. */
  readonly artifactWith: (url: string, defect: Defect) => Promise<Uint8Array | undefined>;
}

type ExchangeStrike = Strike<"exchange">;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const TLS_CODES: Readonly<Record<FaultValue<"tls_failure">, string>> = {
  handshake: "EPROTO",
  expired: "CERT_HAS_EXPIRED",
  not_yet_valid: "CERT_NOT_YET_VALID",
  unknown_issuer: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  other_host: "ERR_TLS_CERT_ALTNAME_INVALID",
};

/** All that is wrong with one exchange, as one disturbance of its way and one answer. */
export function interferenceOf(strikes: readonly ExchangeStrike[], context: ExchangeContext): Interference {
  const disturbance: Mutable<Disturbance> = {};
  let answer = context.ask;
  for (const strike of strikes) {
    disturb(disturbance, strike, context);
    answer = answerWith(strike, context, answer);
  }
  return { disturbance, answer };
}

function rangeStart(request: HttpRequest): number {
  return Number(/^bytes=(\d+)-/.exec(request.headers?.range ?? "")?.[1] ?? 0);
}

/** What happens on the way. */
function disturb(
  disturbance: Mutable<Disturbance>,
  strike: ExchangeStrike,
  { request, chance }: ExchangeContext,
): void {
  switch (strike.fault) {
    case "link_down":
      if (strike.value === "silence") disturbance.loseRequest = "silence";
      else disturbance.refused = strike.value === "refused" ? "ECONNREFUSED" : "ENETUNREACH";
      break;
    case "dns_failure":
      disturbance.refused = strike.value === "try_again" ? "EAI_AGAIN" : "ENOTFOUND";
      break;
    case "tls_failure":
      disturbance.refused = TLS_CODES[strike.value];
      break;
    case "cut_download": {
      const { at, every, by } = strike.value;
      const bytes = every ?? (at ?? 0) - rangeStart(request);
      if (bytes <= 0) break;
      disturbance.cutBodyAt = Math.min(bytes, disturbance.cutBodyAt ?? Number.POSITIVE_INFINITY);
      if (by !== undefined) disturbance.cutBodyBy = by;
      break;
    }
    case "truncated_answer":
      disturbance.cutBodyAt = strike.value;
      break;
    case "slow":
      disturbance.bytesPerSecond = Math.min(strike.value, disturbance.bytesPerSecond ?? Number.POSITIVE_INFINITY);
      break;
    case "lossy": {
      const { lose, by = "reset" } = strike.value;
      const which = lose === "either" ? chance.oneOf(["request", "answer"] as const) : lose;
      if (which === "request") disturbance.loseRequest = by;
      else disturbance.loseAnswer = by;
      break;
    }
    case "reordered":
      disturbance.strayMs = Math.round(chance.fraction() * strike.value);
      break;
    case "duplicated":
      disturbance.duplicate = true;
      break;
    case "delayed_answer":
      disturbance.answerDelayMs = (disturbance.answerDelayMs ?? 0) + strike.value;
      break;
    default:
  }
}

/** What is answered in place of the true answer. */
function answerWith(strike: ExchangeStrike, { artifactWith }: ExchangeContext, ask: Ask): Ask {
  switch (strike.fault) {
    case "answer": {
      const { status, retry_after, body, headers } = strike.value;
      return async () => ({
        status,
        headers: {
          ...(body === undefined ? { "content-type": "application/json" } : {}),
          ...(retry_after === undefined ? {} : { "retry-after": isoSeconds(retry_after) }),
          ...headers,
        },
        body: body ?? (status === 204 ? "" : JSON.stringify({ error: `status ${status}, by the scenario` })),
      });
    }
    case "malformed_answer":
      return async (request) => withBody(await ask(request), '{"id": "half of');
    case "empty_answer":
      return async (request) => withBody(await ask(request), "");
    case "expired_link":
      return async () => ({
        status: 403,
        headers: { "content-type": "application/json" },
        body: '{"error":"Forbidden"}',
      });
    case "changed_object":
      return async (request) => {
        const whole = await wholeBody(ask, request);
        return whole === undefined ? undefined : served(otherObject(whole.body), '"another-object"', request);
      };
    case "bad_artifact":
      return async (request) => {
        const bytes = await artifactWith(request.url, strike.value);
        return bytes === undefined ? await ask(request) : served(bytes, `"${strike.value}"`, request);
      };
    default:
      return ask;
  }
}

/** Only an answer that has something to say can say it badly. */
function withBody(answer: SimulatedAnswer | undefined, body: string): SimulatedAnswer | undefined {
  if (answer === undefined || answer.status !== 200) return answer;
  const { "content-length": _, ...headers } = answer.headers ?? {};
  return { ...answer, headers, body };
}
