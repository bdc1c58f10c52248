import type { ArtifactContent } from "@upkeep/shared/artifact";
import type { Logger } from "@upkeep/shared/logging";
import { type HttpResponse, LinkedController, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { refusal } from "./answers.ts";
import { obeyed, pauseBeforeResume } from "./backoff.ts";
import type { ArtifactSource } from "./deployment-server.ts";
import type { HttpClient, Question } from "./http.ts";
import { masked } from "./masking.ts";
import { continuation, type ObjectFacts, resumeHeaders } from "./same-object.ts";

export interface DownloadSettings {
  /** How many tries in a row may bring no byte. */
  readonly triesMax: number;
  /** The longest pause between two tries, in milliseconds. */
  readonly pauseMsMax: number;
  /** Rate limit in bytes per second; 0 means none. */
  readonly bytesPerSecondMax: number;
  /** Not more bytes than these are rather read than left out by another request: `LEAP_BYTES_MIN` if absent. */
  readonly leapBytesMin?: number;
}

/** Bytes that are typically in flight on a connection and cannot be stopped. */
const LEAP_BYTES_MIN = 32 * 1024;

export interface Link {
  readonly url: string;
  /** RFC 3339: when it stops working, as the server said. */
  readonly expire?: string | undefined;
  /** Asks for another link to the same object; `undefined` if there is none. */
  readonly renew?: () => Promise<Link | undefined>;
}

export type DownloadSystem = Pick<System, "clock" | "timers" | "random">;

/** What a server answers for a link that has expired, or that was never good: a new one may be better. */
const LINK_REFUSED = new Set([400, 401, 403, 404, 410]);

/** Of the bandwidth that was not used, so much may be made up for. */
const SAVED_MS_MAX = 1000;

/** An answer whose body goes on at the byte that is missing, after `surplusBytes` that are skipped. */
interface Connection {
  readonly answer: HttpResponse;
  surplusBytes: number;
  /** It was asked for up to this byte only; to the end of the object if `undefined`. */
  readonly end: number | undefined;
  /** What comes next lies further on than is worth reading up to. */
  left: boolean;
}

const WHAT = "downloading the artifact";

/** Of the object, before the server has begun to send. */
const UNKNOWN: ObjectFacts = { etag: undefined, lastModified: undefined, sizeBytes: undefined };

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
   * @param reachedBytes How far an earlier download came. Much of that will be left out: up to there the object is asked
   *   for in small pieces, so that little comes in vain.
   */
  async start(link: Link, signal?: AbortSignal, reachedBytes = 0): Promise<ArtifactSource> {
    const download = new Download(this.#system, this.#http, this.#settings, this.#log, link, signal, reachedBytes);
    try {
      await download.begin();
    } catch (error) {
      await download.close();
      throw error;
    }
    return download;
  }
}

class Download implements ArtifactSource {
  readonly #system: DownloadSystem;
  readonly #http: HttpClient;
  readonly #settings: DownloadSettings;
  readonly #log: Logger;
  #link: Link;
  readonly #closing: LinkedController;
  readonly #leapBytesMin: number;
  readonly #reachedBytes: number;
  /** Size of the next piece, before `#reachedBytes`. */
  #pieceBytes: number;
  /** Bytes handed over or left out so far. */
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
    reachedBytes: number,
  ) {
    this.#system = system;
    this.#http = http;
    this.#settings = settings;
    this.#log = log;
    this.#link = link;
    this.#reachedBytes = reachedBytes;
    this.#leapBytesMin = settings.leapBytesMin ?? LEAP_BYTES_MIN;
    this.#pieceBytes = this.#leapBytesMin;
    this.#closing = new LinkedController(signal);
  }

  get #sizeUntold(): boolean {
    return this.#object !== undefined && this.#object.sizeBytes === undefined;
  }

  get sizeBytes(): number | undefined {
    return this.#object?.sizeBytes;
  }

  get content(): ArtifactContent {
    return { [Symbol.asyncIterator]: () => this.#bytes(), skip: async (bytes) => this.#skip(bytes) };
  }

  async begin(): Promise<void> {
    this.#connection = await this.#connect();
  }

  async close(): Promise<void> {
    this.#closing.abort(new AgentError("download-closed", `${WHAT}: closed before its end`));
    this.#closing.release();
    this.#connection?.answer.cancel();
  }

  async *#bytes(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const connection = this.#connection ?? (await this.#connect());
      this.#connection = connection;
      try {
        yield* this.#bytesOf(connection);
        const asAsked = connection.left || (connection.end !== undefined && this.#offset >= connection.end);
        if (this.sizeBytes === undefined ? !asAsked : this.#offset >= this.sizeBytes) return;
        if (!asAsked)
          await this.#pause(new AgentError("connection-broken", "the body ended early", { retryable: true }));
      } catch (error) {
        await this.#pause(this.#http.fault(error, { what: WHAT, url: this.#link.url }));
      } finally {
        connection.answer.cancel();
        this.#connection = undefined;
      }
    }
  }

  async *#bytesOf(connection: Connection): AsyncGenerator<Uint8Array> {
    if (connection.left) return;
    for await (const chunk of connection.answer.body) {
      const skipped = Math.min(connection.surplusBytes, chunk.length);
      connection.surplusBytes -= skipped;
      if (skipped === chunk.length) continue;
      this.#fruitless = 0;
      const fresh = skipped === 0 ? chunk : chunk.subarray(skipped);
      this.#offset += fresh.length;
      if (this.sizeBytes !== undefined && this.#offset > this.sizeBytes) {
        throw new AgentError(
          "download-object-changed",
          `${WHAT}: more than the ${this.sizeBytes} bytes announced came`,
        );
      }
      yield fresh;
      if (connection.left) return;
      await this.#slowDown(fresh.length);
    }
    if (connection.surplusBytes > 0 && connection.end === undefined) throw this.#changed("it ends before that byte");
  }

  /** Go on `bytes` further on. */
  #skip(bytes: number): void {
    this.#offset += bytes;
    const connection = this.#connection;
    if (connection === undefined) return;
    const near = bytes <= this.#leapBytesMin;
    if (near && (connection.end === undefined || this.#offset < connection.end)) connection.surplusBytes += bytes;
    else connection.left = true;
    if (!near) this.#pieceBytes = this.#leapBytesMin;
  }

  /** Wait until `bytes` fit into the bandwidth. The network is not read meanwhile, so the peer slows down too. */
  async #slowDown(bytes: number): Promise<void> {
    const { bytesPerSecondMax } = this.#settings;
    if (bytesPerSecondMax === 0) return;
    const { clock, timers } = this.#system;
    const now = clock.monotonic();
    this.#busyUntil = Math.max(this.#busyUntil, now - SAVED_MS_MAX) + (bytes / bytesPerSecondMax) * 1000;
    if (this.#busyUntil > now) await timers.sleep(this.#busyUntil - now, this.#closing.signal);
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
      throw new AgentError(
        "download-link-invalid",
        `${WHAT}: the server's link '${masked(url)}' is no http or https URL`,
      );
    }
    const object = this.#object;
    const end = this.#nextPiece();
    const question: Question = {
      what: WHAT,
      method: "GET",
      url,
      // The signed link is the permission: the token must not reach the host that serves it.
      headers: {
        accept: "*/*",
        ...(object === undefined && end === undefined ? {} : resumeHeaders(object ?? UNKNOWN, this.#offset, end)),
      },
      signal: this.#closing.signal,
      streams: true,
    };
    const answer = await this.#http.ask(question);
    if (answer.status === 200 || (answer.status === 206 && question.headers?.range !== undefined)) {
      const next = continuation(object ?? UNKNOWN, this.#offset, answer);
      if (next.kind === "goes-on") {
        this.#object = next.facts;
        const { surplusBytes } = next;
        return { answer, surplusBytes, end: answer.status === 206 ? end : undefined, left: false };
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

  /** Where the piece ends that is to be asked for next; `undefined` if all of the rest is. */
  #nextPiece(): number | undefined {
    // Without a total size, a part of the object could be taken for the whole.
    if (this.#offset >= this.#reachedBytes || this.#sizeUntold) return undefined;
    const end = Math.min(this.#offset + this.#pieceBytes, this.#reachedBytes);
    this.#pieceBytes *= 2;
    return end;
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
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
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
    await this.#system.timers.sleep(pauseMs, this.#closing.signal);
  }
}
