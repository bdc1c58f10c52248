import { once } from "node:events";
import { DEVICE_PATHS, PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { System, Timer } from "@upkeep/shared/system";
import { readBody } from "../../api/bodies.ts";
import type { RawReply, RawRequest } from "../../api/route.ts";
import { exchangeKind } from "../wire/kinds.ts";
import { DeviceScript, idDataIn, linkIn, missing, type ScriptRequest } from "./device-script.ts";
import type { Difference } from "./difference.ts";
import type { RecordedLine, Recording } from "./format.ts";

const DOWNLOADS = "/api/devices/v1/deployments/download/recorded/";
const CHUNK_BYTES = 256 * 1024;
const LINK_LIFE_MS = 86_400_000;

export interface ServerReplayOptions {
  /** Scheme, host and port for devices. */
  readonly origin: () => string;
  /** The file path of the artifact with this SHA-256. */
  readonly artifactPath: (sha256: string) => string;
  /** Longest wait for the next required request. */
  readonly patienceMs: number;
}

/** Replays the recorded server to real devices, and compares their requests. */
export class ServerReplay {
  readonly #system: Pick<System, "files" | "random" | "timers" | "clock">;
  readonly #options: ServerReplayOptions;
  readonly #scripts: readonly DeviceScript[];
  /** The scripts taken by devices, by the identities that they sent. */
  readonly #claimed = new Map<DeviceScript, string | undefined>();
  /** By their tokens. */
  readonly #sessions = new Map<string, DeviceScript>();
  #timer: Timer | undefined;
  #exchanges = 0;
  #over = false;
  #settle: (difference: Difference | undefined) => void = () => undefined;
  /** Resolves with the first difference, or with none once every required request was answered. */
  readonly ended: Promise<Difference | undefined>;

  constructor(
    system: Pick<System, "files" | "random" | "timers" | "clock">,
    recording: Recording,
    options: ServerReplayOptions,
  ) {
    this.#system = system;
    this.#options = options;
    const byDevice = new Map<string, RecordedLine[]>();
    for (const line of recording.exchanges) {
      if (line.answer.broken) continue;
      const lines = byDevice.get(line.device) ?? [];
      lines.push(line);
      byDevice.set(line.device, lines);
    }
    this.#scripts = [...byDevice.values()].map((lines) => new DeviceScript(lines));
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#wait();
  }

  get exchanges(): number {
    return this.#exchanges;
  }

  /** Number of devices that sent a request. */
  get devices(): number {
    return this.#claimed.size;
  }

  readonly listener = (request: RawRequest, response: RawReply): void => {
    this.#serve(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  };

  #wait(): void {
    this.#timer?.cancel();
    this.#timer = this.#system.timers.after(this.#options.patienceMs, () => {
      const line = this.#scripts.map(({ next }) => next).find((next) => next !== undefined);
      this.#end(line === undefined ? undefined : missing(line));
    });
  }

  #end(difference: Difference | undefined): void {
    this.#over = true;
    this.#timer?.cancel();
    this.#settle(difference);
  }

  async #serve(request: RawRequest, response: RawReply): Promise<void> {
    const { method = "", url = "" } = request;
    const body = await readBody(request, PROTOCOL_LIMITS.bodyBytesMax, 413);
    const json = jsonIn(body.toString("utf8"));
    this.#exchanges++;
    if (url.startsWith(DOWNLOADS)) {
      await this.#download(request, response);
      return;
    }
    const kind = exchangeKind(url);
    if (kind === "auth") {
      this.#authorize(json, response);
      return;
    }
    const token = /^Bearer +(\S+)/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const script = this.#sessions.get(token);
    if (script === undefined) {
      empty(response, 401);
      return;
    }
    const line = this.#take(script, { kind, method, path: url, json });
    if (line === undefined) {
      empty(response, kind === "inventory" ? 200 : kind === "poll" ? 204 : 404);
      return;
    }
    if (line.answer.status === 401) this.#sessions.delete(token);
    this.#answer(line, response);
    this.#look();
  }

  /** The recorded exchange that answers the request; `undefined` if the request differs. */
  #take(script: DeviceScript, request: ScriptRequest): RecordedLine | undefined {
    const before = script.next;
    const taken = script.take(request);
    if (taken.kind === "differs") {
      this.#end(taken.difference);
      return undefined;
    }
    if (script.next !== before) this.#wait();
    return taken.line;
  }

  /** Ends the replay once no request is missing. */
  #look(): void {
    if (!this.#over && this.#scripts.every(({ next }) => next === undefined)) this.#end(undefined);
  }

  #authorize(json: unknown, response: RawReply): void {
    const script = this.#scriptOf(idDataIn(json));
    if (script === undefined) {
      answerJson(response, 401, { error: "the recording has no further device" });
      return;
    }
    const line = this.#take(script, { kind: "auth", method: "POST", path: DEVICE_PATHS.authRequests, json });
    if (line === undefined || line.answer.status === 200) {
      const token = this.#system.random.uuid();
      this.#sessions.set(token, script);
      response.writeHead(200, { "content-type": "application/jwt" }).end(token);
      return;
    }
    this.#answer(line, response);
  }

  /** The script of this identity, otherwise the first script without a device. */
  #scriptOf(identity: string | undefined): DeviceScript | undefined {
    const script =
      this.#scripts.find((one) => one.identity !== undefined && one.identity === identity) ??
      [...this.#claimed].find(([, told]) => told === identity)?.[0] ??
      this.#scripts.find((one) => !this.#claimed.has(one));
    if (script !== undefined) this.#claimed.set(script, identity);
    return script;
  }

  #answer({ answer }: RecordedLine, response: RawReply): void {
    const { status, headers, json, text } = answer;
    const retryAfter = headers["retry-after"];
    if (retryAfter !== undefined) response.setHeader("retry-after", retryAfter);
    if (json !== undefined) answerJson(response, status, this.#withLink(json));
    else if (text !== undefined) {
      response.writeHead(status, { "content-type": headers["content-type"] ?? "text/plain" }).end(text);
    } else empty(response, status);
  }

  /** Replaces the link of an offer by the path of the kept artifact. */
  #withLink(json: unknown): unknown {
    const link = linkIn(json);
    if (link === undefined) return json;
    const offer = json as { readonly artifact: { readonly source: object } };
    const uri = `${this.#options.origin()}${DOWNLOADS}${encodeURIComponent(link)}`;
    const expire = new Date(this.#system.clock.now() + LINK_LIFE_MS).toISOString();
    return { ...offer, artifact: { ...offer.artifact, source: { ...offer.artifact.source, uri, expire } } };
  }

  async #download(request: RawRequest, response: RawReply): Promise<void> {
    const link = decodeURIComponent((request.url ?? "").slice(DOWNLOADS.length));
    const script = [...this.#claimed.keys()].find((one) => one.has(link));
    const line = script && this.#take(script, { kind: "download", method: "GET", path: link, json: undefined });
    const bytes = line?.answer.bytes;
    if (bytes === undefined) {
      empty(response, 404);
      return;
    }
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const headers = {
      etag: `"${bytes.sha256}"`,
      "accept-ranges": "bytes",
      "content-length": String(bytes.size - from),
    };
    if (from === 0) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, "content-range": `bytes ${from}-${bytes.size - 1}/${bytes.size}` });
    const file = await this.#system.files.open(this.#options.artifactPath(bytes.sha256), "read");
    try {
      for (let at = from; at < bytes.size; ) {
        const buffer = Buffer.alloc(Math.min(CHUNK_BYTES, bytes.size - at));
        const count = await file.read(buffer, at);
        if (count === 0) break;
        at += count;
        if (!response.write(buffer.subarray(0, count))) await once(response, "drain");
      }
    } finally {
      await file.close();
    }
    response.end();
    this.#look();
  }
}

function empty(response: RawReply, status: number): void {
  response.writeHead(status, status === 204 ? {} : { "content-length": "0" }).end();
}

function answerJson(response: RawReply, status: number, json: unknown): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(json));
}

function jsonIn(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
}

/** The artifacts of a recording's downloads. */
export function artifactsOf({ exchanges }: Recording): readonly string[] {
  const hashes = exchanges.flatMap(({ request, answer }) =>
    request.path.startsWith("<") && answer.status === 200 && answer.bytes !== undefined ? [answer.bytes.sha256] : [],
  );
  return [...new Set(hashes)];
}
