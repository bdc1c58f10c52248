import { DeploymentInstructions, StatusReport } from "@upkeep/shared/protocol";
import { type ExchangeKind, exchangeKind } from "../wire/kinds.ts";
import { type Difference, firstDifference, shown } from "./difference.ts";
import type { RecordedLine } from "./format.ts";

/** A request that a device sent to the replayed server. */
export interface ScriptRequest {
  readonly kind: ExchangeKind;
  readonly method: string;
  readonly path: string;
  readonly json: unknown;
}

/** The recorded exchange that answers a request; `undefined`: the recording has no answer to it. */
export type ScriptAnswer =
  | { readonly kind: "as"; readonly line: RecordedLine | undefined }
  | { readonly kind: "differs"; readonly difference: Difference };

interface Step {
  readonly line: RecordedLine;
  readonly kind: ExchangeKind;
  /** Required, in this order. The number of the other requests depends on timing. */
  readonly required: boolean;
  done: boolean;
}

function kindOf({ request }: RecordedLine): ExchangeKind {
  // A recording does not contain the path of a link.
  return request.path.startsWith("<") ? "download" : exchangeKind(request.path);
}

function statusIn(json: unknown): string | undefined {
  const parsed = StatusReport.safeParse(json);
  return parsed.success ? parsed.data.status : undefined;
}

function providesIn(json: unknown): unknown {
  return typeof json === "object" && json !== null && "device_provides" in json ? json.device_provides : json;
}

function stepsOf(lines: readonly RecordedLine[]): Step[] {
  let reported = "";
  return lines.map((line) => {
    const kind = kindOf(line);
    const { answer, request } = line;
    let required =
      kind === "log" || (kind === "download" && answer.status === 200) || (kind === "poll" && answer.status === 200);
    if (kind === "status") {
      // The agent repeats the status to learn of an abort; how often depends on timing.
      const report = `${request.path} ${statusIn(request.json)}`;
      required = report !== reported;
      reported = report;
    }
    return { line, kind, required, done: false };
  });
}

/** The expected requests of one recorded device in order, with their answers. It decides and sends nothing. */
export class DeviceScript {
  readonly #steps: readonly Step[];
  readonly identity: string | undefined;
  #lastStatus: Step | undefined;
  #lastDownload: Step | undefined;

  constructor(lines: readonly RecordedLine[]) {
    this.#steps = stepsOf(lines);
    this.identity = lines.map(({ request }) => idDataIn(request.json)).find((identity) => identity !== undefined);
  }

  /** The next required request; `undefined`: none is missing. */
  get next(): RecordedLine | undefined {
    return this.#next?.line;
  }

  get #next(): Step | undefined {
    return this.#steps.find(({ required, done }) => required && !done);
  }

  /** True if the device got this link. */
  has(link: string): boolean {
    return this.#steps.some(({ line }) => line.request.path === link);
  }

  take(request: ScriptRequest): ScriptAnswer {
    const next = this.#next;
    switch (request.kind) {
      case "poll":
        return this.#takePoll(request, next);
      case "status":
        return this.#takeStatus(request, next);
      case "log":
        if (next?.kind === "log" && next.line.request.path === request.path) return this.#as(next);
        return this.#unexpected(request, next);
      case "download":
        return this.#takeDownload(request, next);
      default:
        return { kind: "as", line: this.#whenever(request) };
    }
  }

  #takePoll(request: ScriptRequest, next: Step | undefined): ScriptAnswer {
    if (next === undefined) return { kind: "as", line: this.#whenever(request) };
    if (next.kind !== "poll") return this.#unexpected(request, next);
    const idle = this.#steps.find(({ kind, done, line }) => kind === "poll" && !done && line.n < next.line.n);
    if (idle !== undefined) return this.#as(idle);
    const found = firstDifference(
      providesIn(next.line.request.json),
      providesIn(request.json),
      undefined,
      "device_provides",
    );
    return found === undefined
      ? this.#as(next)
      : { kind: "differs", difference: { ...positionOf(next.line), ...found } };
  }

  #takeStatus(request: ScriptRequest, next: Step | undefined): ScriptAnswer {
    const same = (step: Step | undefined): step is Step =>
      step?.line.request.path === request.path && statusIn(step.line.request.json) === statusIn(request.json);
    if (next?.kind === "status" && same(next)) {
      this.#lastStatus = next;
      return this.#as(next);
    }
    if (same(this.#lastStatus)) return { kind: "as", line: this.#lastStatus.line };
    return this.#unexpected(request, next);
  }

  #takeDownload(request: ScriptRequest, next: Step | undefined): ScriptAnswer {
    if (next?.kind === "download" && next.line.request.path === request.path) {
      this.#lastDownload = next;
      return this.#as(next);
    }
    // The device resumes after a broken connection.
    if (this.#lastDownload?.line.request.path === request.path) return { kind: "as", line: this.#lastDownload.line };
    return this.#unexpected(request, next);
  }

  /** The next recorded exchange of this kind, or the last one again. */
  #whenever({ kind, method, path }: ScriptRequest): RecordedLine | undefined {
    const ofSort = this.#steps.filter(({ line, kind: other, required }) => {
      if (required) return false;
      return other === kind && (kind !== "other" || (line.request.method === method && line.request.path === path));
    });
    const step = ofSort.find(({ done }) => !done) ?? ofSort.at(-1);
    if (step !== undefined) step.done = true;
    return step?.line;
  }

  #as(step: Step): ScriptAnswer {
    step.done = true;
    return { kind: "as", line: step.line };
  }

  #unexpected(request: ScriptRequest, next: Step | undefined): ScriptAnswer {
    const line = next?.line ?? this.#steps.at(-1)?.line;
    const expected = next === undefined ? "no further report" : requestText(next.line.request);
    const got = requestText(request);
    return { kind: "differs", difference: { ...positionOf(line), where: "the request", expected, got } };
  }
}

function requestText({ method, path, json }: { method: string; path: string; json?: unknown }): string {
  return `${method} ${path}${json === undefined ? "" : ` ${shown(json)}`}`;
}

function positionOf(line: RecordedLine | undefined): Pick<Difference, "line" | "exchange"> {
  if (line === undefined) return { line: 1, exchange: "the recording" };
  return { line: line.line, exchange: `${line.device}, ${line.request.method} ${line.request.path}` };
}

/** Describes the missing request. */
export function missing(line: RecordedLine): Difference {
  return { ...positionOf(line), where: "the request", expected: requestText(line.request), got: "nothing" };
}

export function idDataIn(json: unknown): string | undefined {
  if (typeof json !== "object" || json === null || !("id_data" in json)) return undefined;
  return typeof json.id_data === "string" ? json.id_data : undefined;
}

/** The download link of a recorded offer. */
export function linkIn(json: unknown): string | undefined {
  const parsed = DeploymentInstructions.safeParse(json);
  return parsed.success ? parsed.data.artifact.source.uri : undefined;
}
