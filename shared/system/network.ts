export type HttpMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";

/** Header names are lower case; a repeated header holds its values in order. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[]>>;

/** Chunks as they arrive. Stop iterating (or call `HttpResponse.cancel`) to drop the connection. */
export type HttpBody = AsyncIterable<Uint8Array>;

/** How to trust the peer and how to be trusted by it. PEM texts. */
export interface TlsOptions {
  /** Certificates trusted in addition to the system's. */
  readonly trusted?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** The key of `certificate` in hardware: the OpenSSL engine that accesses it, and the key's name there. */
  readonly keyInEngine?: { readonly engine: string; readonly id: string };
  /** Accept any certificate. Only for development. */
  readonly skipVerify?: boolean;
}

export interface HttpRequest {
  readonly method: HttpMethod;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly tls?: TlsOptions;
  /** URL of the HTTP proxy, with user and password if it requires them. */
  readonly proxy?: string;
  /** Fails with ETIMEDOUT when neither direction transfers a byte for this time. */
  readonly idleTimeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  /**
   * The body as it arrives. Fails with ECONNRESET when the connection ends before the body, with ETIMEDOUT when it
   * stalls. Never decompressed, never retried.
   */
  readonly body: HttpBody;
  /** Drops the connection and the unread rest of the body. */
  cancel(): void;
}

/** HTTP as a client. Redirects are not followed; every status is an answer, not an error. */
export interface Network {
  /**
   * Sends one request and waits for the head of the answer.
   * Rejects with a SystemError: ECONNREFUSED, ENOTFOUND, ETIMEDOUT, ECONNRESET, EPROXY (the proxy refuses the
   * tunnel), CERT_NOT_YET_VALID and the other certificate codes of the TLS library.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
}
