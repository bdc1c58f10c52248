import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

/** A request that came whole and in one piece, written in the one way that leaves nothing to interpret. */
export interface PlainRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Names in lower case; each came once. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly socket: Socket;
}

export interface PlainReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Absent: the headers say all of it. */
  readonly payload?: string | Buffer;
  /** Called when it was handed to the connection. */
  sent(): void;
  /** Called instead if there was no connection any more. */
  lost(): void;
}

/** @returns `undefined`: somebody else is to answer. Never throws and never rejects. */
export type PlainListener = (request: PlainRequest) => PlainReply | Promise<PlainReply> | undefined;

const HEAD_BYTES_MAX = 8192;
const LINE_END = "\r\n";
const REQUEST_LINE = /^([A-Z]{3,7}) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
/** Two headers of one name, a space too many, a line that is folded, anything but ASCII: nothing of that is plain. */
const HEADER = /([A-Za-z0-9-]+): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?\r\n/y;
/** What says how the rest is to be read, or that something else is to be done first. */
const NOT_PLAIN = ["transfer-encoding", "expect", "upgrade", "trailer", "te", "proxy-connection", "http2-settings"];
const LENGTH = /^(?:0|[1-9]\d{0,6})$/;
const PERSISTENCE = /^(?:keep-alive|close)$/i;

/** Names as they come → in lower case. Clients have their own ways, but not many. */
const names = new Map<string, string>();
const NAMES_MAX = 200;

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = text.toLowerCase();
  if (names.size < NAMES_MAX) names.set(text, name);
  return name;
}

/**
 * Read a request, if `bytes` are one and nothing else, and every reader of HTTP would read the same.
 * @returns `undefined`: they are not, or not beyond doubt.
 */
export function readPlain(bytes: Buffer, socket: Socket): PlainRequest | undefined {
  // One byte, one character: what is no ASCII does not get through the patterns.
  const head = bytes.toString("latin1", 0, HEAD_BYTES_MAX);
  const lineEnd = head.indexOf(LINE_END);
  if (lineEnd < 0) return undefined;
  const line = REQUEST_LINE.exec(head.slice(0, lineEnd));
  if (line === null) return undefined;
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  let at = lineEnd + LINE_END.length;
  while (!head.startsWith(LINE_END, at)) {
    HEADER.lastIndex = at;
    const header = HEADER.exec(head);
    if (header === null) return undefined;
    const name = nameOf(header[1] ?? "");
    if (name in headers) return undefined;
    headers[name] = header[2] ?? "";
    at = HEADER.lastIndex;
  }
  at += LINE_END.length;
  if (!isPlain(headers, bytes.length - at)) return undefined;
  return { method: line[1] ?? "", url: line[2] ?? "", headers, body: bytes.subarray(at), socket };
}

function isPlain(headers: Readonly<Record<string, string>>, bodyBytes: number): boolean {
  const { host, connection, "content-length": length } = headers;
  if (host === undefined || (connection !== undefined && !PERSISTENCE.test(connection))) return false;
  for (const name of NOT_PLAIN) if (name in headers) return false;
  return length === undefined ? bodyBytes === 0 : LENGTH.test(length) && Number(length) === bodyBytes;
}

/** True if whoever sent it wants no other answer on its connection. */
export function isLast({ headers: { connection } }: PlainRequest): boolean {
  return connection !== undefined && connection.toLowerCase() === "close";
}

/** What a header can hold, and what it cannot. */
const SENDABLE = /^[\t\x20-\x7e]*$/;
const UNSENDABLE = /[^\t\x20-\x7e]/g;

const line = (name: string, value: string): string =>
  `${name}: ${SENDABLE.test(value) ? value : value.replace(UNSENDABLE, "?")}\r\n`;

let dateSecond = 0;
let date = "";

/** The time, as headers have it, written anew once a second. */
function dateNow(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = new Date(second * 1000).toUTCString();
  }
  return date;
}

/**
 * A reply as it goes over the line, the same as the platform would write it.
 * @param keptS For how many seconds the connection is kept; `undefined`: it ends with this reply.
 */
export function written({ status, headers, payload }: PlainReply, keptS: number | undefined): string | Buffer {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "unknown"}\r\n`;
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === "string") head += line(name, value);
    else for (const one of value ?? []) head += line(name, one);
  }
  head += `Date: ${dateNow()}\r\n`;
  head +=
    keptS === undefined
      ? "Connection: close\r\n\r\n"
      : `Connection: keep-alive\r\nKeep-Alive: timeout=${keptS}\r\n\r\n`;
  if (payload === undefined) return head;
  return typeof payload === "string" ? head + payload : Buffer.concat([Buffer.from(head, "latin1"), payload]);
}
