import type { Readable } from "node:stream";
import type { FastifyReply } from "fastify";

export type HeaderFields = Readonly<Record<string, string | readonly string[]>>;

const NO_HEADERS: HeaderFields = {};

/** What a route answers. Its text, bytes or stream says its own media type in `headers`. */
export interface Answer {
  readonly status: number;
  readonly headers?: HeaderFields;
  readonly body?:
    | { readonly json: unknown }
    | { readonly text: string }
    | { readonly bytes: Buffer }
    | { readonly stream: Readable };
}

/** For answers with tokens or signed links: no cache keeps them. */
export const NO_STORE = { "cache-control": "no-store" } as const;

export function json(value: unknown, headers: HeaderFields = {}): Answer {
  return { status: 200, headers, body: { json: value } };
}

export function text(value: string, mediaType: string, headers: HeaderFields = NO_HEADERS): Answer {
  return { status: 200, headers: { ...headers, "content-type": mediaType }, body: { text: value } };
}

export function empty(status: number, headers: HeaderFields = NO_HEADERS): Answer {
  return { status, headers };
}

/** What an answer warns of: of something that was taken, and has less effect than may be thought. */
export function warning(...texts: readonly (string | undefined)[]): HeaderFields {
  const told = texts.filter((text) => text !== undefined);
  return told.length === 0 ? NO_HEADERS : { "x-upkeep-warning": told.join("; ") };
}

/** 201 with the path of what was made; clients take its last segment as the id. */
export function created(location: string, ...warnings: readonly (string | undefined)[]): Answer {
  return empty(201, { location, ...warning(...warnings) });
}

const PATH_IN_LINK = /^<(?=\/)/;

/**
 * The answer with the paths in its headers as the client sees them.
 * @param prefixOf The path that a proxy removed from the request's path.
 */
export function behind(answer: Answer, prefixOf: () => string): Answer {
  const { link, location } = answer.headers ?? NO_HEADERS;
  if (link === undefined && location === undefined) return answer;
  const prefix = prefixOf();
  if (prefix === "") return answer;
  const links = [link ?? []].flat().map((one) => one.replace(PATH_IN_LINK, `<${prefix}`));
  return {
    ...answer,
    headers: {
      ...answer.headers,
      ...(link === undefined ? {} : { link: links }),
      ...(typeof location === "string" && location.startsWith("/") ? { location: prefix + location } : {}),
    },
  };
}

/** An answer as it goes over the line. */
export interface Framed {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly payload?: string | Buffer | Readable;
}

/** A browser takes an answer for what its media type says, whatever it looks like. */
const NO_SNIFFING: HeaderFields = { "x-content-type-options": "nosniff" };

/** What the headers say of the body, added. The length of a body that there is, is the carrier's. */
export function framed({ status, headers: own = NO_HEADERS, body }: Answer): Framed {
  const headers: HeaderFields = own === NO_HEADERS ? NO_SNIFFING : { ...own, ...NO_SNIFFING };
  if (body === undefined) {
    // 204 and 304 have no body by themselves; the others must say so.
    const silent = status === 204 || status === 304 || headers["content-length"] !== undefined;
    return { status, headers: silent ? headers : { ...headers, "content-length": "0" } };
  }
  if ("stream" in body) return { status, headers, payload: body.stream };
  if ("bytes" in body) return { status, headers, payload: body.bytes };
  if ("text" in body) return { status, headers, payload: body.text };
  const type = { "content-type": "application/json; charset=utf-8" };
  return { status, headers: { ...headers, ...type }, payload: JSON.stringify(body.json) };
}

/** Hand an answer to the framework. */
export function send(reply: FastifyReply, answer: Answer): FastifyReply {
  const { status, headers, payload } = framed(answer);
  reply.code(status);
  for (const [name, value] of Object.entries(headers)) reply.header(name, value);
  return payload === undefined ? reply.send() : reply.send(payload);
}
