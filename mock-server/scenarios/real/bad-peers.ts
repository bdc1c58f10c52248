import { createServer as createNetServer, type Server as NetServer } from "node:net";
import { generate } from "selfsigned";
import type { FaultValue, Strike } from "../../faults/index.ts";
import { type Listening, listen } from "../../system/listen.ts";

type TlsFault = FaultValue<"tls_failure">;

const YEAR_MS = 365 * 86_400_000;
/** Names under .invalid never resolve (RFC 2606). */
export const NOWHERE = "upkeep-scenario.invalid";

/**
 * Peers that cannot be spoken to: a name that nobody knows, and servers whose certificates are not good. Devices are
 * sent there; what they meet is real.
 */
export class BadPeers {
  readonly #nowMs: number;
  readonly #open = new Map<TlsFault, Promise<{ readonly url: string; close(): Promise<unknown> }>>();

  /** @param nowMs Milliseconds since the Unix epoch. */
  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** PEM of certificates that devices trust, so that nothing but their fault is wrong with them. */
  #trusted = "";

  get trusted(): string {
    return this.#trusted;
  }

  /** Make those that a scenario has, before devices are told whom to trust. */
  async prepare(faults: readonly TlsFault[]): Promise<void> {
    for (const fault of faults) await this.#peer(fault);
  }

  /** Where to send a device that these faults happen to; `undefined`: nowhere else. */
  async urlFor(strikes: readonly Strike<"exchange">[]): Promise<string | undefined> {
    for (const strike of strikes) {
      if (strike.fault === "dns_failure") return `http://${NOWHERE}`;
      if (strike.fault === "tls_failure") return (await this.#peer(strike.value)).url;
    }
    return undefined;
  }

  #peer(fault: TlsFault) {
    const known = this.#open.get(fault);
    if (known !== undefined) return known;
    const made = fault === "handshake" ? noTls() : this.#badCertificate(fault);
    this.#open.set(fault, made);
    return made;
  }

  async #badCertificate(fault: Exclude<TlsFault, "handshake">) {
    const [from, until] = {
      expired: [-2 * YEAR_MS, -YEAR_MS],
      not_yet_valid: [YEAR_MS, 2 * YEAR_MS],
      unknown_issuer: [-YEAR_MS, YEAR_MS],
      other_host: [-YEAR_MS, YEAR_MS],
    }[fault] as [number, number];
    const { cert, private: key } = await generate([{ name: "commonName", value: "other.example.com" }], {
      notBeforeDate: new Date(this.#nowMs + from),
      notAfterDate: new Date(this.#nowMs + until),
      keyType: "ec",
    });
    if (fault !== "unknown_issuer") this.#trusted += cert;
    const address = { host: "127.0.0.1", port: 0, tls: { certificate: cert, key } };
    const listening: Listening = await listen((_request, response) => void response.destroy(), address);
    return { url: `https://127.0.0.1:${listening.port}`, close: () => listening.close(0) };
  }

  async close(): Promise<void> {
    for (const peer of this.#open.values()) await (await peer).close();
  }
}

/** Something that answers a handshake with anything but one. */
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
