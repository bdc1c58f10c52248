import type { Random } from "@upkeep/shared/system";
import type { FaultOf, FaultsOf } from "../vocabulary.ts";

/** A fault of one HTTP request and its answer. */
export type ExchangeFault = FaultOf<FaultsOf<"exchange">>;

/** How what is lost shows itself. */
export type Loss = "reset" | "silence";

export interface FixedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What happens to one exchange, all its faults taken together. */
export interface Effects {
  /** The connection is not made, or is gone at once. */
  readonly down?: Loss;
  /** The request is lost on its way, or the answer is. */
  readonly lose?: { readonly what: "request" | "answer"; readonly by: Loss };
  /** The request arrives so much later. */
  readonly lateMs: number;
  /** It wanders about: so much later still it arrives, when whoever sent it has given up; its answer comes to nobody. */
  readonly strayMs?: number;
  /** It arrives twice. */
  readonly twice: boolean;
  /** It does not arrive: this is the answer. */
  readonly answer?: FixedAnswer;
  /** What becomes of the answer's body. */
  readonly body?: "malformed" | "empty";
  /** The connection ends after so many bytes of the body. */
  readonly cut?: { readonly atBytes: number; readonly by: Loss };
  readonly delayMs: number;
  /** Bytes per second of the body. */
  readonly rate?: number;
  /** Another object of the same size is there instead. */
  readonly changed: boolean;
  readonly artifact?: Extract<ExchangeFault, { fault: "bad_artifact" }>["value"];
}

type Writable = { -readonly [K in keyof Effects]: Effects[K] };

/** What a server says of a link that is too old. */
const EXPIRED: FixedAnswer = {
  status: 403,
  headers: { "content-type": "application/json; charset=utf-8" },
  body: '{"error":"the link has expired"}',
};

/**
 * @param random For what is lost, and for how late what is reordered comes.
 * @param range The request's header, if it asks for a part: where it begins counts for cuts at a byte.
 */
export function effectsOf(faults: readonly ExchangeFault[], random: Random, range?: unknown): Effects {
  const effects: Writable = { lateMs: 0, twice: false, delayMs: 0, changed: false };
  const startBytes = Number(/^bytes=(\d+)-/.exec(String(range ?? ""))?.[1] ?? 0);
  for (const fault of faults) add(effects, fault, random, startBytes);
  return effects;
}

function add(effects: Writable, { fault, value }: ExchangeFault, random: Random, startBytes: number): void {
  switch (fault) {
    case "link_down":
      effects.down = value === "silence" ? "silence" : "reset";
      return;
    case "dns_failure":
    case "tls_failure":
      // Before there is any exchange: whoever has names and certificates in hand does it really.
      effects.down = "reset";
      return;
    case "lossy": {
      const what = value.lose === "either" ? (random.fraction() < 0.5 ? "request" : "answer") : value.lose;
      effects.lose = { what, by: value.by ?? "reset" };
      return;
    }
    case "reordered":
      effects.strayMs = (effects.strayMs ?? 0) + random.fraction() * value;
      return;
    case "duplicated":
      effects.twice = true;
      return;
    case "answer":
      effects.answer = fixedAnswer(value);
      return;
    case "expired_link":
      effects.answer = EXPIRED;
      return;
    case "malformed_answer":
      effects.body = "malformed";
      return;
    case "empty_answer":
      effects.body = "empty";
      return;
    case "truncated_answer":
      cutAt(effects, value, "reset");
      return;
    case "cut_download":
      cutAt(effects, value.every ?? (value.at ?? 0) - startBytes, value.by ?? "reset");
      return;
    case "delayed_answer":
      effects.delayMs += value;
      return;
    case "slow":
      effects.rate = Math.min(effects.rate ?? value, value);
      return;
    case "changed_object":
      effects.changed = true;
      return;
    case "bad_artifact":
      effects.artifact = value;
      return;
  }
}

function cutAt(effects: Writable, atBytes: number, by: Loss): void {
  if (atBytes > 0) effects.cut = { atBytes: Math.min(atBytes, effects.cut?.atBytes ?? atBytes), by };
}

function fixedAnswer({
  status,
  retry_after,
  body,
  headers,
}: Extract<ExchangeFault, { fault: "answer" }>["value"]): FixedAnswer {
  // A real client ends itself when a 401 has a body.
  const bodiless = status === 401 || status === 204 || status === 304;
  const text = body ?? (bodiless ? "" : `{"error":"the server answers ${status} because it was told to"}`);
  return {
    status,
    headers: {
      ...(text === "" ? {} : { "content-type": "application/json; charset=utf-8" }),
      ...(retry_after === undefined ? {} : { "retry-after": String(Math.ceil(retry_after / 1000)) }),
      ...headers,
    },
    body: text,
  };
}
