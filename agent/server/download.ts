import type { Logger } from "@upkeep/shared/logging";
import type { HttpResponse, System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { ArtifactSource } from "../update/ports.ts";
import { refusal } from "./answers.ts";
import { obeyed, pauseBeforeResume } from "./backoff.ts";
import type { HttpClient, Question } from "./http.ts";
import { continuation, factsOfWhole, type ObjectFacts, resumeHeaders } from "./same-object.ts";

export interface DownloadSettings {
  /** How many tries in a row may bring no byte. */
  readonly triesMax: number;
  /** The longest pause between two tries, in milliseconds. */
  readonly pauseMsMax: number;
  /** So many bytes are taken in a second; all that come if it is 0. */
  readonly bytesPerSecondMax: number;
}

export interface Link {
  readonly url: string;
  /** RFC 3339: when it stops working, as the server said. */
  readonly expire?: string | undefined;
  /** Asks for another link to the same object; `undefined` if there is none. */
  readonly renew?: () => Promise<Link | undefined>;
}

/**
 * Where a download stands: enough to go on from there in another life of the program. Small and plain, so that it
 * can be written into a journal.
 */
export interface DownloadPosition {
  /** Bytes of the object that were handed over. */
  readonly offset: number;
  /** The strong validator of the object: nothing else proves later that it is still the same. */
  readonly etag: string;
  readonly sizeBytes: number | null;
}

/** A download that can say where it stands. */
export interface DownloadedArtifact extends ArtifactSource {
  /** `undefined` when the server gives nothing by which the object could be known again. */
  readonly position: DownloadPosition | undefined;
}

export type DownloadSystem = Pick<System, "clock" | "timers" | "random">;

/** What a server answers for a link that has expired, or that was never good: a new one may be better. */
const LINK_REFUSED = new Set([400, 401, 403, 404, 410]);

/** Of the bandwidth that was not used, so much may be made up for. */
const SAVED_MS_MAX = 1000;

/** An answer whose body goes on at `offset`, after `surplusBytes` that we have already. */
interface Connection {
  readonly answer: HttpResponse;
  readonly surplusBytes: number;
}

const WHAT = "downloading the artifact";

/** Starts downloads that survive broken connections. */
export class Downloads {
  readonly #system: DownloadSystem;
  readonly #http: HttpClient;
  readonly #settings: DownloadSettings;
  readonly #log: Logger;

  constructor(system: DownloadSystem, http: HttpClient, settings: DownloadSettings, log: Logger) {
    this.#system = system;
    this.#http = http;
    this.#settings = settings;
    this.#log = log;
  }

  /**
   * Resolves when the server has begun to send.
   * @param from Where an earlier download of the same object stood: the content begins there.
   * @throws AgentError `download-object-changed` if the object under the link is not the one that `from` is about.
   */
  async start(link: Link, signal?: AbortSignal, from?: DownloadPosition): Promise<DownloadedArtifact> {
    const download = new Download(this.#system, this.#http, this.#settings, this.#log, link, signal, from);
    await download.begin();
    return download;
  }
}

class Download implements DownloadedArtifact {
  readonly #system: DownloadSystem;
  readonly #http: HttpClient;
  readonly #settings: DownloadSettings;
  readonly #log: Logger;
  #link: Link;
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;
  /** Bytes handed over so far. */
  #offset = 0;
  /** Tries in a row that brought no byte. */
  #fruitless = 0;
  /** Known once the server has begun to send. */
  #object: ObjectFacts | undefined;
  #connection: Connection | undefined;
  /** Until when, in monotonic time, the bandwidth is used up. */
  #busyUntil = 0;

  constructor(
    system: DownloadSystem,
    http: HttpClient,
    settings: DownloadSettings,
    log: Logger,
    link: Link,
    signal: AbortSignal | undefined,
    from: DownloadPosition | undefined,
  ) {
    this.#system = system;
    this.#http = http;
    this.#settings = settings;
    this.#log = log;
    this.#link = link;
    if (from !== undefined) {
      this.#offset = from.offset;
      this.#object = { etag: from.etag, lastModified: undefined, sizeBytes: from.sizeBytes ?? undefined };
    }
    this.#signal = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  get sizeBytes(): number | undefined {
    return this.#object?.sizeBytes;
  }

  get position(): DownloadPosition | undefined {
    const { etag, sizeBytes } = this.#object ?? {};
    // A weak one stays the same when bytes change (RFC 9110, 8.8.1).
    if (etag === undefined || !etag.startsWith('"')) return undefined;
    return { offset: this.#offset, etag, sizeBytes: sizeBytes ?? null };
  }

  get content(): AsyncIterable<Uint8Array> {
    return this.#bytes();
  }

  async begin(): Promise<void> {
    this.#connection = await this.#connect();
  }

  async close(): Promise<void> {
    this.#closing.abort(new AgentError("download-closed", `${WHAT}: closed before its end`));
    this.#connection?.answer.cancel();
  }

  async *#bytes(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const connection = this.#connection ?? (await this.#connect());
      this.#connection = connection;
      try {
        yield* this.#bytesOf(connection);
        if (this.sizeBytes === undefined || this.#offset >= this.sizeBytes) return;
        await this.#pause(new AgentError("connection-broken", "the body ended early", { retryable: true }));
      } catch (error) {
        await this.#pause(this.#http.fault(error, { what: WHAT, url: this.#link.url }));
      } finally {
        connection.answer.cancel();
        this.#connection = undefined;
      }
    }
  }

  async *#bytesOf({ answer, surplusBytes }: Connection): AsyncGenerator<Uint8Array> {
    let surplus = surplusBytes;
    for await (const chunk of answer.body) {
      const skipped = Math.min(surplus, chunk.length);
      surplus -= skipped;
      if (skipped === chunk.length) continue;
      const fresh = skipped === 0 ? chunk : chunk.subarray(skipped);
      this.#offset += fresh.length;
      if (this.sizeBytes !== undefined && this.#offset > this.sizeBytes) {
        throw new AgentError(
          "download-object-changed",
          `${WHAT}: more than the ${this.sizeBytes} bytes announced came`,
        );
      }
      this.#fruitless = 0;
      yield fresh;
      await this.#slowDown(fresh.length);
    }
    if (surplus > 0) throw this.#changed("it ends before that byte");
  }

  /** Wait until `bytes` fit into the bandwidth. The network is not read meanwhile, so the peer slows down too. */
  async #slowDown(bytes: number): Promise<void> {
    const { bytesPerSecondMax } = this.#settings;
    if (bytesPerSecondMax === 0) return;
    const { clock, timers } = this.#system;
    const now = clock.monotonic();
    this.#busyUntil = Math.max(this.#busyUntil, now - SAVED_MS_MAX) + (bytes / bytesPerSecondMax) * 1000;
    if (this.#busyUntil > now) await timers.sleep(this.#busyUntil - now, this.#signal);
  }

  /** Ask until the server sends from the byte that is missing on. */
  async #connect(): Promise<Connection> {
    for (;;) {
      try {
        return await this.#ask();
      } catch (error) {
        await this.#pause(error);
      }
    }
  }

  async #ask(): Promise<Connection> {
    const { url } = this.#link;
    if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
      throw new AgentError("download-link-invalid", `${WHAT}: the server's link '${url}' is no http or https URL`);
    }
    const object = this.#object;
    const question: Question = {
      what: WHAT,
      method: "GET",
      url,
      // The link itself is the permission: the token is not for whoever serves it.
      headers: { accept: "*/*", ...(object === undefined ? {} : resumeHeaders(object, this.#offset)) },
      signal: this.#signal,
      streams: true,
    };
    const answer = await this.#http.ask(question);
    if (answer.status === 200 && object === undefined) {
      this.#object = factsOfWhole(answer.headers);
      return { answer, surplusBytes: 0 };
    }
    if (object !== undefined && (answer.status === 200 || answer.status === 206)) {
      const next = continuation(object, this.#offset, answer);
      if (next.kind === "goes-on") {
        this.#object = next.facts;
        return { answer, surplusBytes: next.surplusBytes };
      }
      answer.cancel();
      throw this.#changed(next.difference);
    }
    const { renew } = this.#link;
    const renewable = renew !== undefined && LINK_REFUSED.has(answer.status);
    const refused = await this.#refused(answer);
    if (renewable) await this.#renew(refused, renew);
    throw refused;
  }

  /** Go on with another link, if there is one. It has to prove itself like any other try. */
  async #renew(refused: AgentError, renew: NonNullable<Link["renew"]>): Promise<void> {
    const link = await renew();
    if (link === undefined) return;
    this.#link = { ...link, renew };
    throw new AgentError("download-link-expired", `${refused.message}; the server gave a new one`, {
      retryable: true,
      cause: refused,
    });
  }

  #changed(difference: string): AgentError {
    return new AgentError(
      "download-object-changed",
      `${WHAT}: after ${this.#offset} bytes the server has another object under the same link: ${difference}`,
    );
  }

  async #refused(answer: HttpResponse): Promise<AgentError> {
    const { expire } = this.#link;
    if (answer.status === 416 && this.#object !== undefined) {
      answer.cancel();
      return this.#changed(`it has no bytes from ${this.#offset} on`);
    }
    const error = await refusal(answer, WHAT, this.#http.now());
    if (answer.status === 403) {
      const valid = expire === undefined ? "" : `; it was given until ${expire}`;
      return new AgentError("download-link-expired", `${error.message} (the link has expired or is refused${valid})`);
    }
    if (answer.status === 404 || answer.status === 410) return new AgentError("download-not-found", error.message);
    // The token plays no part here: logging in again would not help.
    if (answer.status === 401) return new AgentError("download-refused", error.message);
    if (answer.status < 400) {
      return new AgentError("download-refused", `${error.message}: an artifact was expected`);
    }
    return error;
  }

  /** Wait before the next try; or throw, if there is to be none. */
  async #pause(error: unknown): Promise<void> {
    if (this.#signal.aborted) throw this.#signal.reason;
    if (!(error instanceof AgentError) || !error.retryable) throw error;
    this.#fruitless++;
    const { triesMax, pauseMsMax } = this.#settings;
    if (this.#fruitless > triesMax) {
      throw new AgentError(
        "download-failed",
        `${WHAT}: given up after ${triesMax} tries in a row that brought nothing, at byte ${this.#offset} of ` +
          `${this.sizeBytes ?? "unknown"}: ${error.message}`,
        { cause: error },
      );
    }
    const fraction = this.#system.random.fraction();
    const pauseMs =
      error.retryAfterMs === undefined
        ? pauseBeforeResume(this.#fruitless - 1, pauseMsMax, fraction)
        : obeyed(error.retryAfterMs, fraction);
    this.#log.warning(`${error.message}; going on at byte ${this.#offset} in ${(pauseMs / 1000).toFixed(1)} s`);
    await this.#system.timers.sleep(pauseMs, this.#signal);
  }
}
