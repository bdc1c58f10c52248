import { createHash, createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Why a request to a store is refused: its error code. */
export type SignatureFault = "AccessDenied" | "InvalidAccessKeyId" | "SignatureDoesNotMatch";

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** As RFC 3986 has it: more is encoded than by encodeURIComponent. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function signatureOf(
  request: IncomingMessage,
  url: URL,
  parts: {
    readonly credential: string;
    readonly signedHeaders: string;
    readonly date: string;
    readonly payload: string;
  },
  { secretAccessKey }: Keys,
): string {
  const query = [...url.searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort();
  const headers = parts.signedHeaders.split(";");
  const canonical = [
    request.method,
    decodeURIComponent(url.pathname).split("/").map(encoded).join("/"),
    query.join("&"),
    ...headers.map((name) => `${name}:${String(request.headers[name] ?? "").trim()}`),
    "",
    parts.signedHeaders,
    parts.payload,
  ].join("\n");
  const [, ...scope] = parts.credential.split("/");
  const digest = createHash("sha256").update(canonical).digest("hex");
  const text = ["AWS4-HMAC-SHA256", parts.date, scope.join("/"), digest].join("\n");
  const key = scope.reduce<string | Buffer>((last, piece) => hmac(last, piece), `AWS4${secretAccessKey}`);
  return hmac(key, text).toString("hex");
}

/** The same checks that Amazon makes (Signature Version 4), of the header and of links; s3rver makes none of them. */
export function signatureFault(request: IncomingMessage, keys: Keys, nowMs: number): SignatureFault | undefined {
  const url = new URL(request.url ?? "", `http://${request.headers.host}`);
  const { searchParams } = url;
  const header = request.headers.authorization;
  const own = new Map(
    (header ?? "")
      .replace(/^AWS4-HMAC-SHA256 /, "")
      .split(/,\s*/)
      .map((part) => part.split("=", 2) as [string, string]),
  );
  const of = (name: string): string => (header === undefined ? searchParams.get(`X-Amz-${name}`) : own.get(name)) ?? "";
  const headerOf = (name: string): string => String(request.headers[name] ?? "");
  const date = header === undefined ? of("Date") : headerOf("x-amz-date");
  const credential = of("Credential");
  if (credential.split("/")[0] !== keys.accessKeyId) return credential === "" ? "AccessDenied" : "InvalidAccessKeyId";
  const payload = header === undefined ? "UNSIGNED-PAYLOAD" : headerOf("x-amz-content-sha256");
  const parts = { credential, signedHeaders: of("SignedHeaders"), date, payload };
  if (signatureOf(request, url, parts, keys) !== of("Signature")) return "SignatureDoesNotMatch";
  if (header !== undefined) return undefined;
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const begunMs = Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s));
  return nowMs < begunMs + Number(of("Expires")) * 1000 ? undefined : "AccessDenied";
}
