/** A header as the API document describes it. */
export interface HeaderSpec {
  readonly description: string;
  readonly type: "string" | "integer";
  readonly example: string | number;
  /** A request without it is refused. */
  readonly required?: boolean;
}

/** Headers of answers that say more than the body. */
export const ANSWER_HEADERS = {
  Link: {
    description:
      "The other pages, one line each: `first`, `prev`, `next`, `last`. The URL is relative to that of the request",
    type: "string",
    example: '</api/management/v2/devauth/devices?page=2&per_page=20>; rel="next"',
  },
  "X-Total-Count": { description: "How many there are on all pages together", type: "integer", example: 42 },
  Location: {
    description: "Where to find what was made; its last part is the id",
    type: "string",
    example: "/api/management/v1/deployments/deployments/5e0a6d5c-3f0e-4c0c-8f0a-2f6f2f0a8d11",
  },
  ETag: {
    description: "The state of what was read or written, for If-Match and If-None-Match",
    type: "string",
    example: '"9f86d081884c7d65"',
  },
  "Retry-After": { description: "Seconds to wait before the request is repeated", type: "integer", example: 60 },
  "Accept-Ranges": { description: "Parts can be asked for", type: "string", example: "bytes" },
  "Content-Range": { description: "Which part it is", type: "string", example: "bytes 1000000-1999999/2000000" },
  "X-Upkeep-Warning": {
    description: "What was taken and has less effect than may be thought",
    type: "string",
    example: "2 personal access tokens of the user go on working; revoke_tokens: true ends them",
  },
} as const satisfies Readonly<Record<string, HeaderSpec>>;

export type AnswerHeader = keyof typeof ANSWER_HEADERS;

/** Headers of requests that a route looks at, besides those of the token and the body. */
export const REQUEST_HEADERS = {
  "If-Match": { description: "Only if this is still its state", type: "string", example: '"9f86d081884c7d65"' },
  "If-None-Match": { description: "Only if this is not its state", type: "string", example: '"9f86d081884c7d65"' },
  "If-Range": {
    description: "A part only of this state, else the whole",
    type: "string",
    example: '"9f86d081884c7d65"',
  },
  Range: { description: "The part that is wanted", type: "string", example: "bytes=1000000-" },
  "X-Upkeep-Adaptive": {
    description: "The device can download adaptively: it is offered the index of the artifact, if there is one",
    type: "string",
    example: "1",
  },
  "X-MEN-Signature": {
    description: "Signature of the body by the key in `pubkey`, base64",
    type: "string",
    example: "MEUCIQDvYk0nF9cK3Tq2Zl5x",
    required: true,
  },
} as const satisfies Readonly<Record<string, HeaderSpec>>;

export type RequestHeader = keyof typeof REQUEST_HEADERS;

/** Headers of a list that knows how many there are. */
export const PAGED = ["Link", "X-Total-Count"] as const;
