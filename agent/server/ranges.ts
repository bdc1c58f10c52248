import type { Logger } from "@upkeep/shared/logging";
import { type HttpResponse, LinkedController } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { header } from "./answers.ts";
import { obeyed, pauseBeforeResume } from "./backoff.ts";
import type { ArtifactRanges, RangedName } from "./deployment-server.ts";
import type { DownloadSettings, DownloadSystem } from "./download.ts";
import type { Http, Question } from "./http.ts";
import { demandUsable, LINK_REFUSED, type Link, linkRefusal, linkRenewed } from "./links.ts";
import { Pace } from "./pace.ts";

/** Requests that are under way at the same time. */
const IN_FLIGHT_MAX = 4;

export interface RangedObject extends Link {
  readonly sizeBytes: number;
}

export type RangedObjects = Readonly<Record<RangedName, RangedObject>>;

export interface RangesOptions {
  readonly system: DownloadSystem;
  readonly http: Http;
  readonly settings: DownloadSettings;
  readonly log: Logger;
  readonly objects: RangedObjects;
  /** Requests new links to the same objects; `undefined` if there are none. */
  readonly renew: () => Promise<RangedObjects | undefined>;
  readonly signal?: AbortSignal | undefined;
}

const WHATS: Readonly<Record<RangedName, string>> = {
  artifact: "downloading the artifact's header",
  index: "downloading the artifact's index",
  chunks: "downloading the artifact's chunks",
};

/** A part that is being read: it goes on where a connection broke. */
interface Part {
  readonly name: RangedName;
  readonly start: number;
  readonly buffer: Uint8Array;
  filled: number;
}

/**
 * Reads parts of an artifact, of its index and of its chunks. A part survives broken connections, unreachable servers and
 * expired links, as a plain download does; all parts share pauses, bandwidth and the number of tries.
 */
export class Ranges implements ArtifactRanges {
  readonly #options: RangesOptions;
  readonly #closing: LinkedController;
  readonly #pace: Pace;
  #objects: RangedObjects;
  #renewing: Promise<void> | undefined;
  #pausing: Promise<void> | undefined;
  /** Consecutive pauses without a byte between them. */
  #fruitless = 0;
  #inFlight = 0;
  readonly #waiting: (() => void)[] = [];
  fetchedBytes = 0;

  constructor(options: RangesOptions) {
    this.#options = options;
    this.#objects = options.objects;
    this.#closing = new LinkedController(options.signal);
    this.#pace = new Pace(options.system, options.settings.bytesPerSecondMax);
  }

  async read(name: RangedName, start: number, end: number): Promise<Uint8Array> {
    await this.#enter();
    try {
      const part = { name, start, buffer: new Uint8Array(end - start), filled: 0 };
      while (part.filled < part.buffer.length) await this.#attempt(part);
      return part.buffer;
    } finally {
      this.#inFlight -= 1;
      this.#waiting.shift()?.();
    }
  }

  close(): void {
    this.#closing.abort(new AgentError("download-closed", "downloading the artifact: closed before its end"));
    this.#closing.release();
  }

  async #enter(): Promise<void> {
    if (this.#inFlight >= IN_FLIGHT_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#inFlight += 1;
  }

  async #attempt(part: Part): Promise<void> {
    await this.#pausing;
    this.#closing.signal.throwIfAborted();
    const { url } = this.#objects[part.name];
    try {
      const answer = await this.#ask(part);
      try {
        await this.#take(answer, part);
      } finally {
        answer.cancel();
      }
    } catch (error) {
      await this.#pause(this.#options.http.fault(error, { what: WHATS[part.name], url }), part);
    }
  }

  async #ask(part: Part): Promise<HttpResponse> {
    const { http, settings } = this.#options;
    const object = this.#objects[part.name];
    const what = WHATS[part.name];
    const mayLoseTls = settings.mayLoseTls === true;
    demandUsable(object, what, mayLoseTls);
    const from = part.start + part.filled;
    const last = part.start + part.buffer.length - 1;
    const question: Question = {
      what,
      method: "GET",
      url: object.url,
      // The signed link is the permission. The token must not reach the host of the link.
      headers: { accept: "*/*", range: `bytes=${from}-${last}` },
      signal: this.#closing.signal,
      streams: true,
      mayLoseTls,
    };
    const answer = await http.ask(question);
    const { status } = answer;
    if (status === 206 || status === 200 || status === 416) {
      const said = status === 206 ? (header(answer.headers, "content-range")?.trim() ?? "") : "";
      if (said.toLowerCase() === `bytes ${from}-${last}/${object.sizeBytes}`) return answer;
      // Its body is not read: it might be the whole object, once for each part.
      answer.cancel();
      const shown = status === 206 ? `206 with the range '${said}'` : status;
      throw new AgentError(
        "adaptive-ranges-refused",
        `${what}: the bytes ${from}-${last} of ${object.sizeBytes} were asked for, and the answer was ${shown}`,
      );
    }
    const refused = await linkRefusal(answer, what, object, http.now());
    if (!LINK_REFUSED.has(status)) throw refused;
    // Another part may have got new links meanwhile.
    if (this.#objects[part.name] === object) await this.#renew(refused);
    throw linkRenewed(refused);
  }

  async #take(answer: HttpResponse, part: Part): Promise<void> {
    for await (const chunk of answer.body) {
      if (chunk.length > part.buffer.length - part.filled) {
        throw new AgentError("adaptive-ranges-refused", `${WHATS[part.name]}: more bytes came than were asked for`);
      }
      part.buffer.set(chunk, part.filled);
      part.filled += chunk.length;
      this.fetchedBytes += chunk.length;
      this.#fruitless = 0;
      await this.#pace.spend(chunk.length, this.#closing.signal);
    }
    if (part.filled < part.buffer.length) {
      throw new AgentError("connection-broken", `${WHATS[part.name]}: the body ended early`, { retryable: true });
    }
  }

  /** Continue with new links; parts that are refused at the same time share them. @throws `refused` if there are none. */
  async #renew(refused: AgentError): Promise<void> {
    const renew = async (): Promise<void> => {
      const objects = await this.#options.renew();
      if (objects === undefined) throw refused;
      this.#objects = objects;
    };
    this.#renewing ??= renew().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  /** Wait before the next attempt, or throw if there is none. A part that fails during a pause shares it. */
  async #pause(error: unknown, part: Part): Promise<void> {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
    if (!(error instanceof AgentError) || !error.retryable) throw error;
    this.#pausing ??= this.#pauseOnce(error, part).finally(() => {
      this.#pausing = undefined;
    });
    await this.#pausing;
  }

  async #pauseOnce(error: AgentError, part: Part): Promise<void> {
    this.#fruitless += 1;
    const { settings, system, log } = this.#options;
    if (this.#fruitless > settings.triesMax) {
      throw new AgentError(
        "download-failed",
        `${WHATS[part.name]}: given up after ${settings.triesMax} tries in a row that brought nothing, at byte ` +
          `${part.start + part.filled} of ${this.#objects[part.name].sizeBytes}: ${error.message}`,
        { cause: error },
      );
    }
    const fraction = system.random.fraction();
    const pauseMs =
      error.retryAfterMs === undefined
        ? pauseBeforeResume(this.#fruitless - 1, settings.pauseMsMax, fraction)
        : obeyed(error.retryAfterMs, fraction);
    const missing = part.start + part.filled;
    log.warning(
      `${error.message}; going on at byte ${missing} of the ${part.name} in ${(pauseMs / 1000).toFixed(1)} s`,
    );
    await system.timers.sleep(pauseMs, this.#closing.signal);
  }
}
