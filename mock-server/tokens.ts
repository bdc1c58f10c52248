import { createPrivateKey, createPublicKey, hash, sign, verify } from "node:crypto";

/** The frame (PKCS#8, RFC 8410) around the 32 bytes that are an Ed25519 private key. */
const PKCS8_FRAME = Buffer.from("302e020100300506032b657004220420", "hex");
export const TOKEN_SEED_BYTES = 32;

/** The signatures of one key. */
export interface TokenSigner {
  sign(bytes: Uint8Array): Buffer;
  verify(bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** @param seed The private key: {@link TOKEN_SEED_BYTES} random bytes. */
export function ed25519Signer(seed: Uint8Array): TokenSigner {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_FRAME, seed]), format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey);
  return {
    sign: (bytes) => sign(null, bytes, privateKey),
    verify: (bytes, signature) => verify(null, bytes, publicKey, signature),
  };
}

/** Longer than any issued token. */
const TOKEN_LENGTH_MAX = 4096;
/** Verified tokens that are remembered, so that a device's next request costs no signature check. */
const REMEMBERED_MAX = 100_000;

/**
 * Issues and reads JSON Web Tokens with one fixed header (`alg: EdDSA`) and one key, so that a token cannot choose how it
 * is verified. The caller checks expiry and revocation, on every request.
 *
 * Not jose: its verification is asynchronous only, and the fast path of polls reads tokens synchronously. What jose would
 * replace is `issue` and `#verify`, thirty lines.
 */
export class TokenKey<Claims extends object> {
  readonly #signer: TokenSigner;
  readonly #header: string;
  readonly #parse: (payload: unknown) => Claims | undefined;
  /** SHA-256 of a token whose signature was checked → its claims, in the order in which they came. */
  readonly #verified = new Map<string, Claims>();

  /**
   * @param seed The private key: {@link TOKEN_SEED_BYTES} random bytes.
   * @param header What the header says beside `alg` and `typ`.
   * @param parse The claims if they are what we issue, else `undefined`.
   * @param signer Default: Ed25519 with the seed.
   */
  constructor(
    seed: Uint8Array,
    header: Readonly<Record<string, string>>,
    parse: (payload: unknown) => Claims | undefined,
    signer: (seed: Uint8Array) => TokenSigner = ed25519Signer,
  ) {
    this.#signer = signer(seed);
    this.#header = encode(JSON.stringify({ alg: "EdDSA", typ: "JWT", ...header }));
    this.#parse = parse;
  }

  issue(claims: Claims): string {
    const signed = `${this.#header}.${encode(JSON.stringify(claims))}`;
    const token = `${signed}.${this.#signer.sign(Buffer.from(signed)).toString("base64url")}`;
    // The device sends it with its next request.
    this.#remember(digestOf(token), claims);
    return token;
  }

  /** The claims of a token that this key signed; `undefined` for anything else. */
  read(token: string): Claims | undefined {
    if (token.length > TOKEN_LENGTH_MAX) return undefined;
    const digest = digestOf(token);
    const known = this.#verified.get(digest);
    if (known !== undefined) return known;
    const claims = this.#verify(token);
    if (claims !== undefined) this.#remember(digest, claims);
    return claims;
  }

  #verify(token: string): Claims | undefined {
    const [header, payload, signature, ...rest] = token.split(".");
    if (header !== this.#header || payload === undefined || signature === undefined || rest.length > 0)
      return undefined;
    const signed = Buffer.from(`${header}.${payload}`);
    const bytes = Buffer.from(signature, "base64url");
    // There is one way to write a token: no padding, nothing in between, nothing behind.
    if (bytes.toString("base64url") !== signature || !this.#signer.verify(signed, bytes)) return undefined;
    return this.#parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
  }

  #remember(digest: string, claims: Claims): void {
    if (this.#verified.size >= REMEMBERED_MAX) {
      const [oldest] = this.#verified.keys();
      if (oldest !== undefined) this.#verified.delete(oldest);
    }
    this.#verified.set(digest, claims);
  }
}

/** SHA-256. */
const digestOf = (token: string): string => hash("sha256", token, "base64");

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}
