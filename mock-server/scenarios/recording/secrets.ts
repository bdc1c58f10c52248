import { createHash } from "node:crypto";
import type { ExchangeKind } from "../wire/kinds.ts";

const digestOf = (text: string): string => createHash("sha256").update(text).digest("base64");

/** Shorter texts stand in answers by chance. */
const SECRET_CHARACTERS_MIN = 16;

/** Secrets that are known by their looks, wherever they stand: in a log, or in an answer that is not well formed. */
const LOOKS: readonly (readonly [RegExp, string])[] = [
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g, "<token>"],
  [
    /([?&](?:x-men-signature|x-amz-signature|x-amz-credential|x-amz-security-token|signature|token|access_token|jwt|password|secret|key)=)[^&\s"\\]+/gi,
    "$1<secret>",
  ],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, "<private key>"],
];

/** Headers that tell something of an exchange, and are no secret. All others are left out. */
const TELLING: ReadonlySet<string> = new Set([
  "accept-ranges",
  "content-length",
  "content-range",
  "content-type",
  "etag",
  "if-range",
  "range",
  "retry-after",
]);

/** Of these, the length of what was sent is told by the body itself. */
const LENGTH_TELLS: ReadonlySet<ExchangeKind> = new Set(["download"]);

export function tellingHeaders(headers: Readonly<Record<string, unknown>>, kind: ExchangeKind): Record<string, string> {
  const telling: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const plain = name.toLowerCase();
    if (!TELLING.has(plain) || value === undefined) continue;
    if (plain === "content-length" && !LENGTH_TELLS.has(kind)) continue;
    telling[plain] = String(value);
  }
  return telling;
}

/**
 * Replaces secrets by names that stay the same throughout a recording, and knows whose they are. Of what it has
 * replaced it keeps the text of tokens and links, as long as it is there, to find them elsewhere.
 */
export class Secrets {
  readonly #devices = new Map<string, string>();
  readonly #names = new Map<string, { readonly name: string; readonly device: string }>();
  readonly #texts: string[] = [];
  #tokens = 0;
  #links = 0;

  /** The name of a device, by what identifies it. */
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

  /** @param target Path and query, or the whole URL where that is another server's. */
  link(target: string, device: string): string {
    return this.#name(target, device, () => `<link ${++this.#links}>`);
  }

  /** Another text that stands for what is called `name`. */
  alias(text: string, name: string): void {
    const digest = digestOf(text);
    if (this.#names.has(digest)) return;
    this.#names.set(digest, { name, device: "" });
    // The longer one first: it may contain the shorter.
    this.#texts.unshift(text);
  }

  /** The name and the device of a token or link that was seen before. */
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

  /** `text` without the secrets that are known so far. */
  scrubbed(text: string): string {
    let clean = text;
    for (const secret of this.#texts) {
      if (clean.includes(secret)) clean = clean.replaceAll(secret, this.known(secret)?.name ?? "<secret>");
    }
    return LOOKS.reduce((text, [look, name]) => text.replace(look, name), clean);
  }
}
