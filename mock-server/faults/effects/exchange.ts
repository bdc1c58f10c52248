import type { Random } from "@upkeep/shared/system";

/** How a lost message shows: the peer resets the connection (ECONNRESET), or nothing more is heard (ETIMEDOUT). */
export type Loss = "reset" | "silence";

/** Why no connection is made, as the system's error code. */
export type ConnectError =
  | "ECONNREFUSED"
  | "ENETUNREACH"
  | "ENOTFOUND"
  | "EAI_AGAIN"
  | "EPROTO"
  | "EPROXY"
  | "CERT_HAS_EXPIRED"
  | "CERT_NOT_YET_VALID"
  | "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
  | "ERR_TLS_CERT_ALTNAME_INVALID";

/** What an effect reads of a request. Header names are lower case. */
export interface ExchangeRequest {
  /** Absolute, or path and query. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

export interface ExchangeAnswer {
  readonly status: number;
  /** Header names are lower case. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Frees the connection of an answer whose body is not read. */
  readonly discard?: () => void;
}

/** Passes a request on to the server. `undefined`: no server listens. */
export type Ask<R extends ExchangeRequest> = (request: R) => Promise<ExchangeAnswer | undefined>;

/** Answers in the server's place, or changes the server's answer. @throws ConnectionLost */
export type AnswerChange = <R extends ExchangeRequest>(request: R, ask: Ask<R>) => Promise<ExchangeAnswer | undefined>;

/** The server is gone while it has the request. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  readonly loss: Loss;

  constructor(loss: Loss, message: string) {
    super(message);
    this.loss = loss;
  }
}

/**
 * What a fault does to one exchange: the connection, the request, the answer and its body. Every world interprets the
 * same effect: the simulated network in virtual time, `wire/carry.ts` on sockets.
 */
export interface ExchangeEffect {
  /** No connection is made; the request is not sent. */
  readonly connectError?: ConnectError;
  /** Until the request reaches the server. */
  readonly requestDelayMs?: number;
  /** The server never gets the request. */
  readonly loseRequest?: Loss;
  /** The server gets the request this much later; the device gets no answer. */
  readonly strayMs?: number;
  /** The server gets the request twice; the first answer is dropped. */
  readonly duplicate?: boolean;
  readonly answer?: AnswerChange;
  /** The server acts on the request, and the device does not get the answer. */
  readonly loseAnswer?: Loss;
  readonly answerDelayMs?: number;
  /** The connection ends after this many bytes of the body; nothing happens to a body that is not longer. */
  readonly cutBodyAt?: number;
  /** `reset` if absent. */
  readonly cutBodyBy?: Loss;
  /** The rate of the body. */
  readonly bytesPerSecond?: number;
}

/** Why the device gets no answer, by the effect alone. `isAsked`: the server has the request while the device waits. */
export function lossOf(effect: ExchangeEffect): { readonly fault: string; readonly isAsked: boolean } | undefined {
  const { connectError, loseRequest, strayMs, loseAnswer } = effect;
  if (connectError !== undefined) return { fault: connectError, isAsked: false };
  if (loseRequest !== undefined) return { fault: `request lost: ${loseRequest}`, isAsked: false };
  if (strayMs !== undefined) return { fault: "request late", isAsked: false };
  return loseAnswer === undefined ? undefined : { fault: `answer lost: ${loseAnswer}`, isAsked: true };
}

/** What the effects of one exchange may use. */
export interface ExchangeContext {
  readonly random: Pick<Random, "fraction">;
  /** Where the answer begins in the object: the start of the range that the request asks for. */
  readonly startBytes: number;
  /** The artifact behind a download link, made with a defect. `undefined`: the link leads to no known artifact. */
  readonly artifactWith: (url: string, defect: ArtifactDefect) => Promise<Uint8Array | undefined>;
  /** Kills the server, and starts it again after a while. */
  readonly killServer: (backAfterMs: number) => void | Promise<void>;
}

/** Defects that an artifact must be made with; damage to its bytes is no such defect. */
export type ArtifactDefect = "wrong_signature" | "unsigned" | "wrong_device_type" | "missing_module";

/** All effects on one exchange as one. Delays add up; of cuts and rates the smallest counts. */
export function combined(effects: readonly ExchangeEffect[]): ExchangeEffect {
  return effects.reduce(both, {});
}

function both(first: ExchangeEffect, second: ExchangeEffect): ExchangeEffect {
  const changes = [first.answer, second.answer].filter((change) => change !== undefined);
  const [inner, outer] = changes;
  const answer: AnswerChange | undefined =
    inner === undefined || outer === undefined
      ? inner
      : (request, ask) => outer(request, (passedOn) => inner(passedOn, ask));
  const cut = [first, second]
    .filter(({ cutBodyAt }) => cutBodyAt !== undefined)
    .sort((one, other) => Number(one.cutBodyAt) - Number(other.cutBodyAt))[0];
  return {
    ...first,
    ...second,
    ...sum("requestDelayMs", first, second),
    ...sum("strayMs", first, second),
    ...sum("answerDelayMs", first, second),
    ...(cut === undefined ? {} : { cutBodyAt: cut.cutBodyAt, cutBodyBy: cut.cutBodyBy ?? "reset" }),
    ...smallest("bytesPerSecond", first, second),
    ...(answer === undefined ? {} : { answer }),
  };
}

function sum(name: "requestDelayMs" | "strayMs" | "answerDelayMs", first: ExchangeEffect, second: ExchangeEffect) {
  if (first[name] === undefined && second[name] === undefined) return {};
  return { [name]: (first[name] ?? 0) + (second[name] ?? 0) };
}

function smallest(name: "bytesPerSecond", first: ExchangeEffect, second: ExchangeEffect) {
  const values = [first[name], second[name]].filter((value) => value !== undefined);
  return values.length === 0 ? {} : { [name]: Math.min(...values) };
}

/** Where the range begins that a request asks for; 0 if it asks for the whole object. */
export function rangeStart(request: ExchangeRequest): number {
  return Number(/^bytes=(\d+)-/.exec(String(request.headers?.range ?? ""))?.[1] ?? 0);
}

/** These never have a body (RFC 9110, 15.3.5 and 15.4.5). */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 304;
}

/** The whole body of an answer. */
export async function bodyOf({ body = "" }: ExchangeAnswer): Promise<Uint8Array> {
  if (typeof body === "string") return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

/** An answer with a text as its body. */
export function textAnswer(
  status: number,
  headers: Readonly<Record<string, string | readonly string[]>>,
  text: string,
): ExchangeAnswer {
  if (isBodiless(status)) return { status, headers };
  return { status, headers: { ...headers, "content-length": String(Buffer.byteLength(text)) }, body: text };
}
