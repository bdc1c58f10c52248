import { createHash } from "node:crypto";
import { collectText, type HttpMethod, type Network, type TlsOptions } from "@upkeep/shared/system";

const TEXT_BYTES_MAX = 16 * 1024 * 1024;
const IDLE_MS = 60_000;
const SHOWN_CHARACTERS = 200;
const LOGIN = "/api/management/v1/useradm/auth/login";

/** A user's e-mail address and password, or a token. */
export type ManagementCredentials = { readonly email: string; readonly password: string } | { readonly token: string };

export interface ManagementAnswer {
  readonly status: number;
  readonly text: string;
  /** Header Location: the path of the created resource. */
  readonly location: string | undefined;
}

/** An error answer of the management API. */
export class ManagementError extends Error {
  override readonly name = "ManagementError";
  readonly status: number;

  constructor(what: string, { status, text }: Pick<ManagementAnswer, "status" | "text">) {
    super(`${what}: the server answered ${status}${text === "" ? "" : `: ${text.slice(0, SHOWN_CHARACTERS)}`}`);
    this.status = status;
  }
}

/** The management API of any Mender-compatible server. Calls reject with a SystemError if it cannot be reached. */
export class ManagementClient {
  readonly #network: Network;
  readonly #server: string;
  readonly #tls: TlsOptions;
  readonly #token: string;

  private constructor(network: Network, server: string, tls: TlsOptions, token: string) {
    this.#network = network;
    this.#server = server;
    this.#tls = tls;
    this.#token = token;
  }

  /** @throws ManagementError if the server refuses the credentials. */
  static async open(
    network: Network,
    server: string,
    credentials: ManagementCredentials,
    tls: TlsOptions = {},
  ): Promise<ManagementClient> {
    if ("token" in credentials) return new ManagementClient(network, server, tls, credentials.token);
    const basic = Buffer.from(`${credentials.email}:${credentials.password}`).toString("base64");
    const answer = await ask(network, tls, "POST", `${server}${LOGIN}`, { authorization: `Basic ${basic}` });
    if (answer.status !== 200) throw new ManagementError(`logging in as ${credentials.email}`, answer);
    return new ManagementClient(network, server, tls, answer.text.trim());
  }

  async call(method: HttpMethod, path: string, json?: unknown): Promise<ManagementAnswer> {
    const headers = { authorization: `Bearer ${this.#token}`, accept: "application/json" };
    if (json === undefined) return await ask(this.#network, this.#tls, method, this.#server + path, headers);
    const typed = { ...headers, "content-type": "application/json" };
    return await ask(this.#network, this.#tls, method, this.#server + path, typed, JSON.stringify(json));
  }

  /** Uploads one artifact as a multipart form. */
  async upload(path: string, artifact: Uint8Array): Promise<ManagementAnswer> {
    const boundary = `upkeep-${createHash("sha256").update(artifact).digest("hex").slice(0, 32)}`;
    const part = (name: string, more = ""): string =>
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`;
    const body = Buffer.concat([
      Buffer.from(`${part("size")}${artifact.length}\r\n${part("artifact", '; filename="artifact.mender"')}`),
      artifact,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const headers = {
      authorization: `Bearer ${this.#token}`,
      accept: "application/json",
      "content-type": `multipart/form-data; boundary=${boundary}`,
    };
    return await ask(this.#network, this.#tls, "POST", this.#server + path, headers, body);
  }

  /** The JSON of a successful answer. @throws ManagementError for any other answer. */
  async get(path: string): Promise<unknown> {
    const answer = await this.call("GET", path);
    if (answer.status !== 200) throw new ManagementError(`GET ${path}`, answer);
    return JSON.parse(answer.text);
  }
}

async function ask(
  network: Network,
  tls: TlsOptions,
  method: HttpMethod,
  url: string,
  headers: Readonly<Record<string, string>>,
  body?: string | Uint8Array,
): Promise<ManagementAnswer> {
  const given = body === undefined ? {} : { body };
  const answer = await network.request({ method, url, tls, headers, ...given, idleTimeoutMs: IDLE_MS });
  const { location } = answer.headers;
  return {
    status: answer.status,
    text: await collectText(answer.body, TEXT_BYTES_MAX),
    location: typeof location === "string" ? location : undefined,
  };
}
