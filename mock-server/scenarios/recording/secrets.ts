import { createHash } from "node:crypto";
import type { ExchangeKind } from "../wire/kinds.ts";

const digestOf = (text: string): string => createHash("sha256").update(text).digest("base64");

/** Shorter texts may occur in answers by chance. */
const SECRET_CHARACTERS_MIN = 16;

/** Patterns of secrets that are found in any text, such as a log or a malformed answer. */
const SECRET_PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g, "<token>"],
  [
    /([?&](?:x-men-signature|x-amz-signature|x-amz-credential|x-amz-security-token|signature|token|access_token|jwt|password|secret|key)=)[^&\s"\\]+/gi,
    "$1<secret>",
  ],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, "<private key>"],
];

/** Recorded headers: relevant for an exchange, and no secret. All others are omitted. */
const RECORDED_HEADERS: ReadonlySet<string> = new Set([
  "accept-ranges",
  "content-length",
  "content-range",
  "content-type",
  "etag",
  "if-range",
  "range",
  "retry-after",
]);

/** For these the body determines the length. */
const KINDS_WITH_LENGTH: ReadonlySet<ExchangeKind> = new Set(["download"]);

export function recordedHeaders(
  headers: Readonly<Record<string, unknown>>,
  kind: ExchangeKind,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const plain = name.toLowerCase();
      if (!RECORDED_HEADERS.has(plain) || value === undefined) return [];
      if (plain === "content-length" && !KINDS_WITH_LENGTH.has(kind)) return [];
      return [[plain, String(value)]];
    }),
  );
}

/**
 * Replaces secrets by names that are stable within a recording, and knows the device of each. It keeps the texts of
 * tokens and links in memory, to find them in other messages.
 */
export class Secrets {
  readonly #devices = new Map<string, string>();
  readonly #names = new Map<string, { readonly name: string; readonly device: string }>();
  readonly #texts: string[] = [];
  #tokens = 0;
  #links = 0;

  /** The name of a device, by its identifying text. */
  device(identity: string): string {
    const known = this.#devices.get(identity);
    if (known !== undefined) return known;
    const name = `d${this.#devices.size + 1}`;
    this.#devices.set(identity, name);
    return name;
  }

  token(token: string, device: string): string {
    return this.#name(token, device, () => `<token ${++this.#tokens}>`);
  }

  /** @param target Path and query, or the whole URL of another server. */
  link(target: string, device: string): string {
    return this.#name(target, device, () => `<link ${++this.#links}>`);
  }

  /** Another text that is replaced by `name`. */
  alias(text: string, name: string): void {
    const digest = digestOf(text);
    if (this.#names.has(digest)) return;
    this.#names.set(digest, { name, device: "" });
    // Longer texts first: they may contain shorter ones.
    this.#texts.unshift(text);
  }

  /** Name and device of a known token or link. */
  known(secret: string): { readonly name: string; readonly device: string } | undefined {
    return this.#names.get(digestOf(secret));
  }

  #name(secret: string, device: string, make: () => string): string {
    const known = this.known(secret);
    if (known !== undefined) return known.name;
    const name = make();
    this.#names.set(digestOf(secret), { name, device });
    if (secret.length >= SECRET_CHARACTERS_MIN) this.#texts.push(secret);
    return name;
  }

  /** `text` with all known secrets replaced. */
  scrubbed(text: string): string {
    let clean = text;
    for (const secret of this.#texts) {
      if (clean.includes(secret)) clean = clean.replaceAll(secret, this.known(secret)?.name ?? "<secret>");
    }
    return SECRET_PATTERNS.reduce((text, [look, name]) => text.replace(look, name), clean);
  }
}
