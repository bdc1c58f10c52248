import type { ArtifactContent } from "@upkeep/shared/artifact";
import type { Logger } from "@upkeep/shared/logging";
import { type HttpResponse, LinkedController, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { header } from "./answers.ts";
import { obeyed, pauseBeforeResume } from "./backoff.ts";
import type { ArtifactSource } from "./deployment-server.ts";
import type { Http, Question } from "./http.ts";
import { demandUsable, LINK_REFUSED, type Link, linkRefusal, linkRenewed } from "./links.ts";
import { Pace } from "./pace.ts";
import { continuation, type ObjectFacts, resumeHeaders } from "./same-object.ts";

export interface DownloadSettings {
  /** How many consecutive attempts may get no byte. */
  readonly triesMax: number;
  /** The longest pause between two attempts, in milliseconds. */
  readonly pauseMsMax: number;
  /** Rate limit in bytes per second; 0 means none. */
  readonly bytesPerSecondMax: number;
  /** What begins with TLS may go on without: artifacts must be signed. */
  readonly mayLoseTls?: boolean;
  /** A gap of at most this size is read, a larger one is skipped by a new request; default `LEAP_BYTES_MIN`. */
  readonly leapBytesMin?: number;
}

/** Typical number of bytes in flight on a connection, which arrive anyway. */
const LEAP_BYTES_MIN = 32 * 1024;

export interface RenewableLink extends Link {
  /** Requests a new link to the same object; `undefined` if there is none. */
  readonly renew?: () => Promise<Link | undefined>;
}

export type DownloadSystem = Pick<System, "clock" | "timers" | "random">;

/** An answer whose body has the next missing byte after `surplusBytes`, which are skipped. */
interface Connection {
  readonly answer: HttpResponse;
  surplusBytes: number;
  /** The request was for bytes before this offset; up to the end of the object if `undefined`. */
  readonly end: number | undefined;
  /** Nothing tells the end of the body from a connection that broke off, and the server can be asked for what follows. */
  readonly mayBreakUnseen: boolean;
  /** The next byte is too far ahead to read up to it: a new request is needed. */
  left: boolean;
}

const WHAT = "downloading the artifact";

/** Facts of the object before the first answer. */
const UNKNOWN: ObjectFacts = { etag: undefined, lastModified: undefined, sizeBytes: undefined };

/** Starts downloads that survive broken connections. */
export class Downloads {
  readonly #system: DownloadSystem;
  readonly #http: Http;
  readonly #settings: DownloadSettings;
  readonly #log: Logger;

  constructor(system: DownloadSystem, http: Http, settings: DownloadSettings, log: Logger) {
    this.#system = system;
    this.#http = http;
    this.#settings = settings;
    this.#log = log;
  }

  /**
   * Resolves when the server has begun to send.
   * @param reachedBytes How far an earlier download came. Most of that will be skipped, so the object is requested in small
   *   pieces up to there.
   */
  async start(link: RenewableLink, signal?: AbortSignal, reachedBytes = 0): Promise<ArtifactSource> {
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

/** True if only the end of the connection ends the body, and the server offers ranges. */
function endsUnseen({ headers }: HttpResponse): boolean {
  const hasEnd = header(headers, "content-length") !== undefined || header(headers, "transfer-encoding") !== undefined;
  return !hasEnd && /\bbytes\b/i.test(header(headers, "accept-ranges") ?? "");
}

/** The size of the object, as a refusal of a range (416) says it. */
function sizeOfRefused({ headers }: HttpResponse): number | undefined {
  const size = /^bytes \*\/(\d{1,15})$/i.exec(header(headers, "content-range")?.trim() ?? "")?.[1];
  return size === undefined ? undefined : Number(size);
}

class Download implements ArtifactSource {
  readonly #system: DownloadSystem;
  readonly #http: Http;
  readonly #settings: DownloadSettings;
  readonly #log: Logger;
  #link: RenewableLink;
  readonly #closing: LinkedController;
  readonly #leapBytesMin: number;
  readonly #reachedBytes: number;
  /** Size of the next piece, before `#reachedBytes`. */
  #pieceBytes: number;
  /** Bytes yielded or skipped so far. */
  #offset = 0;
  /** Consecutive attempts without a byte. */
  #fruitless = 0;
  /** Known after the first answer. */
  #object: ObjectFacts | undefined;
  /** A body of unknown length has ended: the next request shows whether that was the end of the object. */
  #isAskingForMore = false;
  #connection: Connection | undefined;
  /** All bytes were read. */
  #isOver = false;
  readonly #pace: Pace;

  constructor(
    system: DownloadSystem,
    http: Http,
    settings: DownloadSettings,
    log: Logger,
    link: RenewableLink,
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
    this.#pace = new Pace(system, settings.bytesPerSecondMax);
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
    if (!this.#isOver) this.#closing.abort(new AgentError("download-closed", `${WHAT}: closed before its end`));
    this.#closing.release();
    this.#connection?.answer.cancel();
  }

  async *#bytes(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const connection = this.#connection ?? (await this.#connect());
      this.#isOver = connection === undefined;
      if (connection === undefined) return;
      this.#connection = connection;
      const before = this.#offset;
      try {
        yield* this.#bytesOf(connection);
        const asAsked = connection.left || (connection.end !== undefined && this.#offset >= connection.end);
        const isUnsure = !asAsked && connection.mayBreakUnseen && this.sizeBytes === undefined && this.#offset > before;
        this.#isOver = this.sizeBytes === undefined ? !asAsked && !isUnsure : this.#offset >= this.sizeBytes;
        if (this.#isOver) return;
        this.#isAskingForMore = isUnsure;
        if (!asAsked && !isUnsure)
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
      await this.#pace.spend(fresh.length, this.#closing.signal);
    }
    if (connection.surplusBytes > 0 && connection.end === undefined) throw this.#changed("it ends before that byte");
  }

  /** Skip the next `bytes`. */
  #skip(bytes: number): void {
    this.#offset += bytes;
    const connection = this.#connection;
    if (connection === undefined) return;
    const near = bytes <= this.#leapBytesMin;
    if (near && (connection.end === undefined || this.#offset < connection.end)) connection.surplusBytes += bytes;
    else connection.left = true;
    if (!near) this.#pieceBytes = this.#leapBytesMin;
  }

  /** Request until the server sends from the next missing byte on. @returns `undefined` if there is none. */
  async #connect(): Promise<Connection | undefined> {
    for (;;) {
      try {
        return await this.#ask();
      } catch (error) {
        await this.#pause(error);
      }
    }
  }

  async #ask(): Promise<Connection | undefined> {
    const { url } = this.#link;
    const mayLoseTls = this.#settings.mayLoseTls === true;
    demandUsable(this.#link, WHAT, mayLoseTls);
    const object = this.#object;
    const end = this.#nextPiece();
    const question: Question = {
      what: WHAT,
      method: "GET",
      url,
      // The signed link is the permission. The token must not reach the host of the link.
      headers: {
        accept: "*/*",
        ...(object === undefined && end === undefined ? {} : resumeHeaders(object ?? UNKNOWN, this.#offset, end)),
      },
      signal: this.#closing.signal,
      streams: true,
      mayLoseTls,
    };
    const answer = await this.#http.ask(question);
    if (answer.status === 200 || (answer.status === 206 && question.headers?.range !== undefined)) {
      const next = continuation(object ?? UNKNOWN, this.#offset, answer);
      if (next.kind === "goes-on") {
        this.#object = next.facts;
        const { surplusBytes } = next;
        const isPart = answer.status === 206;
        // A server that sends the whole again does not offer ranges, whatever it says.
        const mayBreakUnseen = endsUnseen(answer) && (isPart || !this.#isAskingForMore);
        return { answer, surplusBytes, end: isPart ? end : undefined, mayBreakUnseen, left: false };
      }
      answer.cancel();
      throw this.#changed(next.difference);
    }
    if (answer.status === 416 && this.#isAskingForMore && (sizeOfRefused(answer) ?? this.#offset) === this.#offset) {
      answer.cancel();
      return undefined;
    }
    const { renew } = this.#link;
    const renewable = renew !== undefined && LINK_REFUSED.has(answer.status);
    const refused = await this.#refused(answer);
    if (renewable) await this.#renew(refused, renew);
    throw refused;
  }

  /** End of the next piece to request; `undefined` for the rest of the object. */
  #nextPiece(): number | undefined {
    // If the total size is unknown, a part of the object could pass for the whole.
    if (this.#offset >= this.#reachedBytes || this.#sizeUntold) return undefined;
    const end = Math.min(this.#offset + this.#pieceBytes, this.#reachedBytes);
    this.#pieceBytes *= 2;
    return end;
  }

  /** Continue with a new link, if there is one. It counts as another attempt. */
  async #renew(refused: AgentError, renew: NonNullable<RenewableLink["renew"]>): Promise<void> {
    const link = await renew();
    if (link === undefined) return;
    this.#link = { ...link, renew };
    throw linkRenewed(refused);
  }

  #changed(difference: string): AgentError {
    return new AgentError(
      "download-object-changed",
      `${WHAT}: after ${this.#offset} bytes the server has another object under the same link: ${difference}`,
    );
  }

  async #refused(answer: HttpResponse): Promise<AgentError> {
    if (answer.status === 416 && this.#object !== undefined) {
      answer.cancel();
      return this.#changed(`it has no bytes from ${this.#offset} on`);
    }
    return await linkRefusal(answer, WHAT, this.#link, this.#http.now());
  }

  /** Wait before the next attempt, or throw if there is none. */
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
