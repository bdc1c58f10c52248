import type { Readable } from "node:stream";

export type HeaderFields = Readonly<Record<string, string | readonly string[]>>;

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

export function json(value: unknown, headers: HeaderFields = {}): Answer {
  return { status: 200, headers, body: { json: value } };
}

export function text(value: string, mediaType: string): Answer {
  return { status: 200, headers: { "content-type": mediaType }, body: { text: value } };
}

export function empty(status: number, headers: HeaderFields = {}): Answer {
  return { status, headers };
}

/** 201 with the path of what was made; clients take its last segment as the id. */
export function created(location: string): Answer {
  return empty(201, { location });
}
