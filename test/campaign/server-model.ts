import { createHash } from "node:crypto";
import { type AdaptiveOffer, DEVICE_PATHS } from "@upkeep/shared/protocol";
import type { HttpRequest } from "@upkeep/shared/system";
import type { ExchangeAnswer } from "../../mock-server/faults/effects/exchange.ts";

export const SERVER = "http://server";

/** In which artifacts go out. */
const PIECE_BYTES = 2048;

/** The reports after which a deployment is over. */
const FINAL = new Set(["success", "failure"]);
const OF_DEPLOYMENT = new RegExp(`^${DEVICE_PATHS.status("([^/]+)").replace(/status$/, "(status|log)")}$`);

/** What an adaptive download of an artifact needs. */
export interface AdaptiveFiles {
  readonly index: Uint8Array;
  readonly chunks: Uint8Array;
}

export interface OfferedDeployment {
  readonly id: string;
  readonly artifact: Uint8Array;
  readonly adaptive?: AdaptiveFiles | undefined;
  /** Takes the artifact's place once a download of it has begun before. */
  readonly replacement?: Uint8Array;
  /** The server aborts the deployment when this report, counted from 1, arrives. */
  readonly abortAtReport?: number;
}

/** What the server knows of one deployment on the device. */
interface DeviceDeployment {
  readonly reports: string[];
  final: string | undefined;
  aborted: boolean;
  logs: number;
  /** Downloads of the artifact that have begun. */
  begun: number;
}

/** A small model of the server: deployments for one device, the oldest first. What it must never see is noted as a violation. */
export class ServerModel {
  readonly offered: readonly OfferedDeployment[];
  readonly #deployments: readonly DeviceDeployment[];
  readonly violations: string[];
  /** Polls that found nothing to install. */
  idlePolls = 0;
  /** Bytes of artifacts that went out, in this life. */
  servedBytes = 0;
  /** Moves with every change. */
  version = 0;

  constructor(offered: readonly OfferedDeployment[], from?: ServerModel) {
    this.offered = offered;
    this.violations = [...(from?.violations ?? [])];
    this.#deployments = offered.map((_, index) => {
      const { reports, ...rest } = from?.deployment(index) ?? NEW_DEPLOYMENT;
      return { ...rest, reports: [...reports] };
    });
  }

  /** The deployment that was offered as the `index`th, from 0. */
  deployment(index: number): Readonly<DeviceDeployment> {
    return this.#deployments[index] ?? NEW_DEPLOYMENT;
  }

  /** Everything on which its answers depend, and what is said of it at the end. */
  get identity(): string {
    return JSON.stringify([this.#deployments, this.violations]);
  }

  clone(): ServerModel {
    return new ServerModel(this.offered, this);
  }

  answer({ method, url, headers = {}, body, signal }: HttpRequest): ExchangeAnswer {
    const path = url.slice(SERVER.length);
    if (path === DEVICE_PATHS.authRequests) return { status: 200, body: "token" };
    const [, artifact] = /^\/artifacts\/(\d+)$/.exec(path) ?? [];
    if (artifact !== undefined) return this.#artifact(Number(artifact), headers);
    const [, of, file] = /^\/artifacts\/(\d+)\/(index|chunks)$/.exec(path) ?? [];
    if (of !== undefined) return this.#file(this.offered[Number(of)]?.adaptive?.[file as keyof AdaptiveFiles], headers);
    if (headers.authorization !== "Bearer token") return { status: 401 };
    if (path === DEVICE_PATHS.nextV2) return this.#next();
    if (path === DEVICE_PATHS.inventory) return { status: 200 };
    const [, id, what] = OF_DEPLOYMENT.exec(path) ?? [];
    const index = this.offered.findIndex((one) => one.id === id);
    if (method !== "PUT" || index < 0) return { status: 404 };
    // What its sender gave up may arrive all the same, after something newer.
    if (what === "status") return this.#report(index, String(body), signal?.aborted === true);
    this.#deployment(index).logs++;
    this.version++;
    return { status: 204 };
  }

  #artifact(index: number, { range, "if-range": known }: NonNullable<HttpRequest["headers"]>): ExchangeAnswer {
    const offered = this.offered[index];
    if (offered === undefined) return { status: 404 };
    const deployment = this.#deployment(index);
    // A resumed download names the object with If-Range.
    if (known === undefined && offered.replacement !== undefined && deployment.begun < 2) {
      deployment.begun++;
      this.version++;
    }
    const bytes = deployment.begun > 1 ? (offered.replacement ?? offered.artifact) : offered.artifact;
    const etag = `"artifact-${index}-${deployment.begun > 1}"`;
    return this.#ranged(bytes, etag, range, known);
  }

  #file(bytes: Uint8Array | undefined, { range }: NonNullable<HttpRequest["headers"]>): ExchangeAnswer {
    return bytes === undefined ? { status: 404 } : this.#ranged(bytes, '"a file"', range, undefined);
  }

  #ranged(bytes: Uint8Array, etag: string, range: string | undefined, known: string | undefined): ExchangeAnswer {
    const [, from, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
    if (from === undefined || (known !== undefined && known !== etag)) {
      const headers = { etag, "content-length": String(bytes.length) };
      return { status: 200, headers, body: this.#counted(bytes) };
    }
    const end = last ? Math.min(Number(last) + 1, bytes.length) : bytes.length;
    if (Number(from) >= end) return { status: 416 };
    const headers = {
      etag,
      "content-length": String(end - Number(from)),
      "content-range": `bytes ${from}-${end - 1}/${bytes.length}`,
    };
    return { status: 206, headers, body: this.#counted(bytes.subarray(Number(from), end)) };
  }

  /** Bytes that are counted as they go out. */
  async *#counted(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      const piece = bytes.subarray(from, from + PIECE_BYTES);
      this.servedBytes += piece.length;
      yield piece;
    }
  }

  #deployment(index: number): DeviceDeployment {
    const deployment = this.#deployments[index];
    if (deployment === undefined) throw new RangeError(`there is no deployment ${index}`);
    return deployment;
  }

  /** The deployment that is to be carried out now; −1 if none is left. */
  get #current(): number {
    return this.#deployments.findIndex(({ final, aborted }) => final === undefined && !aborted);
  }

  #next(): ExchangeAnswer {
    const index = this.#current;
    if (index < 0) {
      this.idlePolls++;
      return { status: 204 };
    }
    const uri = `${SERVER}/artifacts/${index}`;
    const adaptive = offerOf(uri, this.offered[index]);
    const body = { id: this.offered[index]?.id, artifact: { source: { uri }, ...(adaptive && { adaptive }) } };
    return { status: 200, body: JSON.stringify(body) };
  }

  #report(index: number, body: string, late: boolean): ExchangeAnswer {
    this.version++;
    const deployment = this.#deployment(index);
    const { status } = JSON.parse(body) as { status: string };
    const current = this.#current;
    if (current >= 0 && index > current)
      this.violations.push(`${status} was reported for deployment ${index}, and ${current} is not over`);
    const { reports, final, aborted } = deployment;
    reports.push(status);
    if (FINAL.has(status)) {
      if (final !== undefined && final !== status)
        this.violations.push(`the final status was ${final}, and then ${status}`);
      // An aborted deployment is over; what the device reports all the same must still be one thing.
      deployment.final ??= status;
      return { status: aborted ? 409 : 204 };
    }
    if (final !== undefined && !aborted && !late) this.violations.push(`${status} was reported after ${final}`);
    if (reports.length === this.offered[index]?.abortAtReport) deployment.aborted = true;
    return { status: deployment.aborted ? 409 : 204 };
  }
}

function offerOf(uri: string, offered: OfferedDeployment | undefined): AdaptiveOffer | undefined {
  if (offered?.adaptive === undefined) return undefined;
  const { index, chunks } = offered.adaptive;
  const sha256 = createHash("sha256").update(index).digest("hex");
  return {
    artifact_size: offered.artifact.length,
    index: { uri: `${uri}/index`, size: index.length, sha256 },
    chunks: { uri: `${uri}/chunks`, size: chunks.length },
  };
}

const NEW_DEPLOYMENT: Readonly<DeviceDeployment> = { reports: [], final: undefined, aborted: false, logs: 0, begun: 0 };
