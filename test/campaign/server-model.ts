import type { HttpRequest } from "@upkeep/shared/system";
import type { SimulatedAnswer } from "../../mock-server/scenarios/simulation/index.ts";

/** The reports after which a deployment is over. */
const FINAL = new Set(["success", "failure"]);

export interface ServerFacts {
  readonly deployment: string;
  readonly artifact: Uint8Array;
  /** The server aborts the deployment when this report, counted from 1, arrives. */
  readonly abortAtReport?: number;
}

/** A small model of the server: one deployment for one device. What it must never see is noted as a violation. */
export class ServerModel {
  readonly facts: ServerFacts;
  readonly reports: string[];
  violations: string[];
  final: string | undefined;
  aborted: boolean;
  logs = 0;
  /** Polls that found nothing to install. */
  idlePolls = 0;
  /** Moves with every change. */
  version = 0;

  constructor(facts: ServerFacts, from?: ServerModel) {
    this.facts = facts;
    this.reports = [...(from?.reports ?? [])];
    this.violations = [...(from?.violations ?? [])];
    this.final = from?.final;
    this.aborted = from?.aborted ?? false;
    this.logs = from?.logs ?? 0;
  }

  /** Everything on which its answers depend, and what is said of it at the end. */
  get identity(): string {
    return JSON.stringify([this.reports, this.violations, this.final ?? null, this.aborted, this.logs]);
  }

  clone(): ServerModel {
    return new ServerModel(this.facts, this);
  }

  answer({ method, url, body }: HttpRequest): SimulatedAnswer {
    switch (`${method} ${url.slice(url.indexOf("/", "http://".length))}`) {
      case "POST /login":
        return { status: 200, body: "token" };
      case "POST /next":
        return this.#next();
      case "GET /artifact":
        return {
          status: 200,
          headers: { "content-length": String(this.facts.artifact.length) },
          body: this.facts.artifact,
        };
      case "PUT /status":
        return this.#report(String(body));
      case "PUT /log":
        this.logs++;
        this.version++;
        return { status: 204 };
      case "PUT /inventory":
        return { status: 200 };
      default:
        return { status: 404 };
    }
  }

  #next(): SimulatedAnswer {
    if (this.final === undefined && !this.aborted) return { status: 200, body: this.facts.deployment };
    this.idlePolls++;
    return { status: 204 };
  }

  #report(status: string): SimulatedAnswer {
    this.version++;
    this.reports.push(status);
    if (FINAL.has(status)) {
      if (this.final !== undefined && this.final !== status)
        this.violations.push(`the final status was ${this.final}, and then ${status}`);
      // An aborted deployment is over; what the device reports all the same must still be one thing.
      this.final ??= status;
      return { status: this.aborted ? 409 : 204 };
    }
    if (this.final !== undefined && !this.aborted) this.violations.push(`${status} was reported after ${this.final}`);
    if (this.reports.length === this.facts.abortAtReport) this.aborted = true;
    return { status: this.aborted ? 409 : 204 };
  }
}
