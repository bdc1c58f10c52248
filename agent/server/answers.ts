import { given } from "@upkeep/shared/given";
import { ErrorBody } from "@upkeep/shared/protocol";
import { collectText, type HttpHeaders, type HttpResponse, isSystemError } from "@upkeep/shared/system";
import { printable } from "@upkeep/shared/text";
import { AgentError } from "../errors.ts";
import { masked } from "./masking.ts";

/** Limits of reading and showing the text of an error answer. */
const ERROR_BYTES_MAX = 64 * 1024;
const SHOWN_CHARACTERS = 200;
/** A server's own message gets more room: it may name a long key before the reason. */
const REASON_CHARACTERS = 500;

/** A header's value; the first of several. */
export function header(headers: HttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

/** The encoding of an answer's body, which was not asked for; `undefined` if it is as it is. */
export function unaskedEncoding(headers: HttpHeaders): string | undefined {
  const encoding = header(headers, "content-encoding")?.trim().toLowerCase() ?? "";
  return encoding === "" || encoding === "identity" ? undefined : shortened(encoding);
}

/**
 * `Retry-After` in milliseconds: seconds, or a date (which may be past: 0).
 * @param nowMs Milliseconds since the Unix epoch.
 */
export function retryAfterMs(headers: HttpHeaders, nowMs: number): number | undefined {
  const value = header(headers, "retry-after")?.trim();
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  // An HTTP date begins with the day of the week; Date.parse alone would accept almost anything.
  const date = /^[A-Z][a-z]{2},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** An answer's text in one short line, since it may be a whole error page of a proxy. */
export function shortened(text: string, charactersMax = SHOWN_CHARACTERS): string {
  const plain = masked(text)
    .replace(/<(style|script|title)[\s\S]*?<\/\1>|<[^>]*>/gi, " ")
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  const line = printable(plain);
  return line.length > charactersMax ? `${line.slice(0, charactersMax)}…` : line;
}

function messageIn(text: string): string {
  try {
    const parsed = ErrorBody.safeParse(JSON.parse(text));
    if (parsed.success) return shortened(parsed.data.error, REASON_CHARACTERS);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return shortened(text);
}

/** The message of an error answer; empty if it has none. Drops the rest of the answer. */
export async function reasonIn(answer: HttpResponse): Promise<string> {
  const encoding = unaskedEncoding(answer.headers);
  if (encoding !== undefined) {
    answer.cancel();
    return `in the content encoding ${encoding}, which was not asked for`;
  }
  try {
    return messageIn(await collectText(answer.body, ERROR_BYTES_MAX));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return "";
  } finally {
    answer.cancel();
  }
}

/** 4xx that a later attempt may not get. */
const PASSING = new Set([401, 408, 423, 425, 429]);

/**
 * The error for an answer that is not a success.
 * @param what Subject of the message, such as `reporting the status`.
 */
export async function refusal(answer: HttpResponse, what: string, nowMs: number): Promise<AgentError> {
  const { status } = answer;
  const retryable = status >= 500 || PASSING.has(status);
  const waitMs = retryable ? retryAfterMs(answer.headers, nowMs) : undefined;
  const code =
    status === 401
      ? "unauthorized"
      : status === 429
        ? "server-busy"
        : status >= 500
          ? "server-failed"
          : "request-refused";
  const reason = await reasonIn(answer);
  return new AgentError(code, `${what}: the server answered ${status}${reason === "" ? "" : `: ${reason}`}`, {
    retryable,
    ...given({ retryAfterMs: waitMs }),
  });
}
