import type { SystemError } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

type Fault = readonly [code: string, saying: string];

/** Faults of the connection: the platform's code, our code and the text for a message. */
const FAULTS: ReadonlyMap<string, Fault> = new Map<string, Fault>([
  ["ECONNREFUSED", ["server-unreachable", "nothing listens there"]],
  ["ENOTFOUND", ["server-unreachable", "its name is not known"]],
  ["EAI_AGAIN", ["server-unreachable", "names cannot be looked up now"]],
  ["ENETUNREACH", ["server-unreachable", "there is no way to its network"]],
  ["EHOSTUNREACH", ["server-unreachable", "there is no way to it"]],
  ["ECONNRESET", ["connection-broken", "the connection broke"]],
  ["EPIPE", ["connection-broken", "the connection broke"]],
  ["ETIMEDOUT", ["connection-stalled", "no data moved on the connection for too long"]],
  ["EPROXY", ["proxy-refused", "its proxy does not connect to it"]],
  ["EENGINE", ["key-unusable", "the device's key for TLS cannot be used"]],
  ["EMSGSIZE", ["answer-malformed", "the answer is too large"]],
  ["CERT_NOT_YET_VALID", ["certificate-not-yet-valid", "its certificate is not valid yet"]],
  ["CERT_HAS_EXPIRED", ["certificate-expired", "its certificate has expired"]],
  ["HPE_HEADER_OVERFLOW", ["answer-malformed", "the headers of its answer are larger than 64 KiB"]],
]);

/** The server's alert that it does not accept the device's certificate, or the lack of one. */
const REFUSES_OURS = /ALERT_(?:.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR)/;

/** Errors of certificates that are not in the table: `UNABLE_TO_VERIFY_LEAF_SIGNATURE`, … */
const UNTRUSTED = /CERT|SIGNATURE|ALTNAME|ISSUER|CRL/;

/** Codes that are not in the table, by what they look like. */
const OTHERS: readonly (readonly [pattern: RegExp, fault: Fault])[] = [
  [REFUSES_OURS, ["client-certificate-refused", "it does not accept the device's own certificate (HttpsClient)"]],
  [UNTRUSTED, ["certificate-untrusted", "its certificate is not trusted"]],
  [/^HPE_/, ["answer-malformed", "what it answers is not HTTP"]],
];
const UNKNOWN: Fault = ["server-unreachable", "the request failed"];

/**
 * A fault of the connection as an AgentError. All are retryable: a certificate is renewed, the clock is set, the network
 * returns.
 * @param what Subject of the message, such as `polling for a deployment`.
 * @param nowMs The device's clock: a wrong one is the usual reason why a certificate is not valid yet.
 */
export function connectionFault(error: SystemError, what: string, url: string, nowMs: number): AgentError {
  const host = URL.canParse(url) ? new URL(url).host : url;
  const [code, saying] = FAULTS.get(error.code) ?? OTHERS.find(([pattern]) => pattern.test(error.code))?.[1] ?? UNKNOWN;
  const clock =
    code === "certificate-not-yet-valid" || code === "certificate-expired"
      ? ` by this device's clock, which says ${new Date(nowMs).toISOString()}: is it set?`
      : "";
  return new AgentError(code, `${what}: ${host}: ${saying}${clock} (${error.code}: ${error.message})`, {
    retryable: true,
    cause: error,
  });
}
