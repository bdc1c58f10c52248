import { LOG_LEVELS } from "@upkeep/shared/logging";
import type { LogMessage } from "@upkeep/shared/protocol";
import { DomainError } from "../errors.ts";
import type { Records } from "../storage/index.ts";

/** The severities by which a log is read, the most severe first. */
export const LOG_SEVERITIES = LOG_LEVELS;
export type LogSeverity = (typeof LOG_SEVERITIES)[number];

/** The part of a log to read. */
export interface LogQuery {
  /** From 1. Default: the last attempt with a log. */
  readonly attempt?: number;
  /** Only messages at least this severe. */
  readonly level?: LogSeverity;
  /** A substring of the message, case-insensitive. */
  readonly text?: string;
  /** Only messages after the one with this number. */
  readonly after?: number;
  /** Default: all. */
  readonly limit?: number;
}

export interface LogPage {
  readonly attempt: number;
  /** The attempts that have a log. */
  readonly attempts: readonly number[];
  /** When the server got it. */
  readonly receivedMs: number;
  readonly messages: readonly NumberedMessage[];
  /** The number of messages in the whole log that the query selects. */
  readonly total: number;
  /** There are more behind the last of these. */
  readonly more: boolean;
}

export interface NumberedMessage extends LogMessage {
  /** Its place in the whole log, from 1. */
  readonly number: number;
}

/** Words of other clients. */
const SYNONYMS: Readonly<Record<string, LogSeverity>> = {
  err: "error",
  warn: "warning",
  notice: "info",
  panic: "fatal",
  critical: "fatal",
};

/** A word that is none counts as `info`, which is the level of most messages. */
function severityOf(level: string): number {
  const word = level.toLowerCase();
  const known = LOG_SEVERITIES.find((one) => one === word) ?? SYNONYMS[word] ?? "info";
  return LOG_SEVERITIES.indexOf(known);
}

/** @throws DomainError (log-not-found) */
export async function readLog(
  records: Records,
  deploymentId: string,
  deviceId: string,
  query: LogQuery,
): Promise<LogPage> {
  const attempts = await records.logs.attempts(deploymentId, deviceId);
  const attempt = query.attempt ?? attempts.at(-1);
  const log = attempt === undefined ? undefined : await records.logs.findWhole(deploymentId, deviceId, attempt);
  if (attempt === undefined || log === undefined) throw new DomainError("log-not-found");
  return { attempt, attempts, receivedMs: log.savedMs, ...selected(log.messages, query) };
}

function selected(
  messages: readonly LogMessage[],
  { level, text = "", after = 0, limit = Number.POSITIVE_INFINITY }: LogQuery,
): Pick<LogPage, "messages" | "total" | "more"> {
  const wanted = text.toLowerCase();
  const least = level === undefined ? LOG_SEVERITIES.length : LOG_SEVERITIES.indexOf(level);
  const all = messages
    .map((message, index) => ({ number: index + 1, ...message }))
    .filter((one) => severityOf(one.level) <= least && one.message.toLowerCase().includes(wanted));
  const rest = all.filter(({ number }) => number > after);
  return { messages: rest.slice(0, limit), total: all.length, more: rest.length > limit };
}
