import { createHash } from "node:crypto";
import { AuthRequest, DeploymentInstructions, PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { Clock, FileHandle, Files } from "@upkeep/shared/system";
import type { RawReply, RawRequest } from "../../api/route.ts";
import { type ExchangeKind, exchangeKind } from "../wire/kinds.ts";
import { ArtifactKeeper } from "./artifact-keeper.ts";
import { artifactsBeside, type RecordedExchange, type RecordingHead } from "./format.ts";
import { recordedHeaders, Secrets } from "./secrets.ts";
import { tap } from "./tap.ts";

type Listener = (request: RawRequest, response: RawReply) => void;

/** The paths of the device API; requests of users are not recorded. */
const DEVICE_API = "/api/devices/";

/** The recorded part of a body: all of a text; size and hash of a download. */
class Body {
  readonly #hash = createHash("sha256");
  readonly #chunks: Uint8Array[] = [];
  size = 0;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.size += chunk.length;
    if (this.size <= PROTOCOL_LIMITS.bodyBytesMax) this.#chunks.push(Buffer.from(chunk));
    else this.#chunks.length = 0;
  }

  recorded(
    isDownload: boolean,
    scrub: (text: string) => string,
  ): Pick<RecordedExchange["answer"], "json" | "text" | "bytes"> {
    if (this.size === 0) return {};
    if (isDownload || this.size > PROTOCOL_LIMITS.bodyBytesMax) return { bytes: this.bytes() };
    const text = Buffer.concat(this.#chunks).toString("utf8");
    const json = jsonIn(text);
    return json === undefined ? { text: scrub(text) } : { json: JSON.parse(scrub(JSON.stringify(json))) };
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }

  bytes(): { size: number; sha256: string } {
    return { size: this.size, sha256: this.#hash.copy().digest("hex") };
  }
}

/** The object or list of a JSON text; other JSON values are recorded as text. */
function jsonIn(text: string): object | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? json : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** The subject that a JSON Web Token claims; its signature is not verified. */
function subjectOf(token: string): string | undefined {
  const claims = jsonIn(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
  return claims !== undefined && "sub" in claims && typeof claims.sub === "string" ? claims.sub : undefined;
}

export interface RecorderOptions {
  /** Keep the downloaded artifacts beside the file. */
  readonly artifacts: boolean;
  /** Called once if the recording fails; the server goes on. */
  readonly onFailure: (error: unknown) => void;
}

/** Records the exchanges of devices with the server. */
export class Recorder {
  readonly #clock: Clock;
  readonly #file: FileHandle;
  readonly #keeper: ArtifactKeeper | undefined;
  readonly #onFailure: (error: unknown) => void;
  readonly #secrets = new Secrets();
  readonly #begunMs: number;
  #count = 0;
  #written: Promise<void> = Promise.resolve();
  #failed = false;

  private constructor(
    clock: Clock,
    file: FileHandle,
    keeper: ArtifactKeeper | undefined,
    onFailure: (error: unknown) => void,
  ) {
    this.#clock = clock;
    this.#file = file;
    this.#keeper = keeper;
    this.#onFailure = onFailure;
    this.#begunMs = clock.monotonic();
  }

  /** Begins a recording, which replaces an existing file. @throws SystemError */
  static async begin(
    { clock, files }: { clock: Clock; files: Files },
    path: string,
    options: RecorderOptions,
  ): Promise<Recorder> {
    const keeper = options.artifacts
      ? await ArtifactKeeper.open(files, artifactsBeside(path), options.onFailure)
      : undefined;
    const recorder = new Recorder(clock, await files.open(path, "write", 0o600), keeper, options.onFailure);
    const begun = new Date(clock.now()).toISOString();
    recorder.#write({ format: "upkeep-recording", version: 1, begun } satisfies RecordingHead);
    return recorder;
  }

  /** `listener` with its exchanges recorded. */
  around(listener: Listener): Listener {
    return (request, response) => {
      if (request.url?.startsWith(DEVICE_API)) this.#listenIn(request, response);
      listener(request, response);
    };
  }

  /** Resolves when all exchanges are written. */
  async end(): Promise<void> {
    await this.#keeper?.settled();
    await this.#written;
    await this.#file.close();
  }

  #listenIn(request: RawRequest, response: RawReply): void {
    const n = ++this.#count;
    const atMs = this.#clock.monotonic();
    const target = request.url ?? "";
    const kind = exchangeKind(target);
    const [asked, answered] = [new Body(), new Body()];
    const keeping = kind === "download" ? this.#keeper?.begin() : undefined;
    tap(request, response, {
      requestBytes: (chunk) => asked.add(chunk),
      answerBytes: (chunk) => {
        answered.add(chunk);
        keeping?.add(chunk);
      },
      ended: (status, headers, complete) => {
        keeping?.end(complete && status === 200 ? answered.bytes().sha256 : undefined);
        const tookMs = this.#clock.monotonic() - atMs;
        this.#note({
          n,
          kind,
          target,
          request,
          asked,
          status,
          headers,
          answered,
          complete,
          atMs: atMs - this.#begunMs,
          tookMs,
        });
      },
    });
  }

  #note(exchange: {
    n: number;
    kind: ExchangeKind;
    target: string;
    request: RawRequest;
    asked: Body;
    status: number;
    headers: Readonly<Record<string, unknown>>;
    answered: Body;
    complete: boolean;
    atMs: number;
    tookMs: number;
  }): void {
    const { n, kind, target, request, asked, status, headers, answered, complete, atMs, tookMs } = exchange;
    const device = this.#deviceOf(exchange);
    if (kind === "auth" && status === 200) this.#secrets.token(answered.text().trim(), device);
    if (kind === "poll" && status === 200) this.#learnLink(answered.text(), device);
    const scrub = (text: string): string => this.#secrets.scrubbed(text);
    const line: RecordedExchange = {
      n,
      at_ms: Math.round(atMs),
      took_ms: Math.round(tookMs),
      device,
      request: {
        method: request.method ?? "",
        path: kind === "download" ? this.#secrets.link(target, device) : scrub(target),
        headers: recordedHeaders(request.headers, kind),
        ...(kind === "auth" ? { json: authBody(asked.text(), device) } : asked.recorded(false, scrub)),
      },
      answer: {
        status,
        headers: recordedHeaders(headers, kind),
        ...answered.recorded(kind === "download" && status < 300, scrub),
        ...(complete ? {} : { broken: true }),
      },
    };
    this.#write(line);
  }

  /** The sender of a request: by its identity, its token, or the link that it got. */
  #deviceOf({
    kind,
    target,
    request,
    asked,
  }: {
    kind: ExchangeKind;
    target: string;
    request: RawRequest;
    asked: Body;
  }): string {
    if (kind === "auth") {
      const parsed = AuthRequest.safeParse(jsonIn(asked.text()));
      return this.#secrets.device(parsed.success ? `identity ${parsed.data.id_data}` : "unknown");
    }
    if (kind === "download") return this.#secrets.known(target)?.device ?? this.#secrets.device("unknown");
    const token = /^Bearer +(\S+)/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const known = this.#secrets.known(token);
    if (known !== undefined) return known.device;
    const device = this.#secrets.device(`subject ${subjectOf(token) ?? "unknown"}`);
    if (token !== "") this.#secrets.token(token, device);
    return device;
  }

  /** The download link in instructions grants access to the artifact: it is a secret. */
  #learnLink(text: string, device: string): void {
    const parsed = DeploymentInstructions.safeParse(jsonIn(text));
    if (!parsed.success) return;
    const { uri } = parsed.data.artifact.source;
    if (!URL.canParse(uri)) return;
    const { pathname, search } = new URL(uri);
    const name = this.#secrets.link(pathname + search, device);
    // The whole URL, so that the server's name is replaced too.
    this.#secrets.alias(uri, name);
  }

  #write(line: RecordingHead | RecordedExchange): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    this.#written = this.#written.then(async () => {
      if (this.#failed) return;
      try {
        await this.#file.write(bytes);
      } catch (error) {
        this.#failed = true;
        this.#onFailure(error);
      }
    });
  }
}

/** An authorisation request without key and signature. */
function authBody(text: string, device: string): unknown {
  const json = jsonIn(text);
  if (json === undefined) return { malformed: true };
  const clean: Record<string, unknown> = { ...json };
  if ("pubkey" in clean) clean.pubkey = `<key of ${device}>`;
  if ("tenant_token" in clean) clean.tenant_token = "<tenant token>";
  return clean;
}
