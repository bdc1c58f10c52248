import { createServer as createNetServer, type Server as NetServer } from "node:net";
import { generate } from "selfsigned";
import type { ConnectError } from "../../faults/effects/exchange.ts";
import { type Listening, listen } from "../../system/listen.ts";

const YEAR_MS = 365 * 86_400_000;
/** Names under .invalid never resolve (RFC 2606). */
const UNKNOWN_NAME = "upkeep-scenario.invalid";
/** TCP has no route to the broadcast address: the kernel says ENETUNREACH at once. */
const NO_ROUTE = "255.255.255.255";
/** Nothing listens at the port of tcpmux. */
const NO_LISTENER = "127.0.0.1:1";

/** Hosts that devices must allow to be redirected to. */
export const FAILING_HOSTS: readonly string[] = [UNKNOWN_NAME, NO_ROUTE];

type TlsError = Exclude<ConnectError, "ECONNREFUSED" | "ENETUNREACH" | "ENOTFOUND" | "EAI_AGAIN">;
type CertificateError = Exclude<TlsError, "EPROTO">;

/**
 * Peers with which every connection fails: addresses that lead nowhere, and servers with bad certificates. A device
 * that is redirected there meets the error on its own machine.
 */
export class FailingPeers {
  readonly #nowMs: number;
  readonly #open = new Map<TlsError, Promise<{ readonly url: string; close(): Promise<unknown> }>>();

  /** @param nowMs Milliseconds since the Unix epoch. */
  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** PEM of certificates that devices trust, so that nothing but the fault is wrong with them. */
  #trusted = "";

  get trusted(): string {
    return this.#trusted;
  }

  /** Starts the peers that a scenario needs, before devices are told which certificates to trust. */
  async prepare(errors: readonly ConnectError[]): Promise<void> {
    for (const error of errors) await this.urlFor(error);
  }

  /** The URL of a peer with which a connection fails in this way. */
  async urlFor(error: ConnectError): Promise<string> {
    switch (error) {
      case "ECONNREFUSED":
        return `http://${NO_LISTENER}`;
      case "ENETUNREACH":
        return `http://${NO_ROUTE}`;
      case "ENOTFOUND":
      case "EAI_AGAIN":
        return `http://${UNKNOWN_NAME}`;
      default:
        return (await this.#peer(error)).url;
    }
  }

  #peer(error: TlsError) {
    const known = this.#open.get(error);
    if (known !== undefined) return known;
    const made = error === "EPROTO" ? noTls() : this.#badCertificate(error);
    this.#open.set(error, made);
    return made;
  }

  async #badCertificate(error: CertificateError) {
    const [from, until] = (
      {
        CERT_HAS_EXPIRED: [-2 * YEAR_MS, -YEAR_MS],
        CERT_NOT_YET_VALID: [YEAR_MS, 2 * YEAR_MS],
        UNABLE_TO_VERIFY_LEAF_SIGNATURE: [-YEAR_MS, YEAR_MS],
        ERR_TLS_CERT_ALTNAME_INVALID: [-YEAR_MS, YEAR_MS],
      } as const
    )[error];
    const options = {
      notBeforeDate: new Date(this.#nowMs + from),
      notAfterDate: new Date(this.#nowMs + until),
      keyType: "ec",
      algorithm: "sha256",
    } as const;
    const named = [{ name: "commonName", value: "other.example.com" }];
    const issuer =
      error === "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
        ? await generate([{ name: "commonName", value: "An issuer that no device trusts" }], options)
        : undefined;
    const ca = issuer === undefined ? {} : { ca: { key: issuer.private, cert: issuer.cert } };
    const { cert, private: key } = await generate(named, { ...options, ...ca });
    if (issuer === undefined) this.#trusted += cert;
    const address = { host: "127.0.0.1", port: 0, tls: { certificate: cert, key } };
    const listening: Listening = await listen((_request, response) => void response.destroy(), address);
    return { url: `https://127.0.0.1:${listening.port}`, close: () => listening.close(0) };
  }

  async close(): Promise<void> {
    for (const peer of this.#open.values()) await (await peer).close();
  }
}

/** A peer that does not speak TLS. */
async function noTls() {
  const server: NetServer = createNetServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end("220 mail.example.com ready\r\n");
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `https://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
