import type { DeploymentStatus, DeviceDeploymentStatus, LogMessage } from "@upkeep/shared/protocol";
import type { StateName } from "upkeep/index.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";

/** A deployment as its operators see it. */
export interface DeploymentView {
  readonly status: DeploymentStatus;
  /** Why it is paused; absent: it is not. */
  readonly paused?: string;
}

/** How an exchange ended. */
export interface ExchangeOutcome {
  /** Absent: the device got no answer; `fault` tells why. */
  readonly status?: number;
  readonly fault?: string;
}

/** Something that happened in a run, whatever way it was run in. Devices and deployments go by their names in the file. */
export type Happening =
  /** The device's deployment has this status at the server, from now on. */
  | {
      readonly kind: "status";
      readonly device: string;
      readonly deployment: string;
      readonly status: DeviceDeploymentStatus;
    }
  | ({ readonly kind: "deployment"; readonly deployment: string } & DeploymentView)
  /** The server would not create it. */
  | { readonly kind: "refused"; readonly deployment: string; readonly why: string }
  /** The agent entered a state; `undefined`: its update is over, or rests. */
  | { readonly kind: "state"; readonly device: string; readonly state: StateName | undefined }
  /** The device asked the server something and was answered. */
  | ({
      readonly kind: "exchange";
      readonly device: string;
      readonly request: RequestKind;
      /** The reported status. */
      readonly reported?: string;
    } & ExchangeOutcome)
  | {
      readonly kind: "log";
      readonly device: string;
      readonly deployment: string;
      readonly messages: readonly LogMessage[];
    }
  /** The bytes of an artifact that the agent has read so far. */
  | { readonly kind: "received"; readonly device: string; readonly receivedBytes: number }
  /** Bytes of an artifact that arrived just now. */
  | { readonly kind: "bytes"; readonly device: string; readonly bytes: number }
  /** The software that is installed for good. */
  | { readonly kind: "runs"; readonly device: string; readonly software: string }
  | { readonly kind: "module"; readonly device: string; readonly call: string }
  | { readonly kind: "boot"; readonly device: string; readonly software?: string }
  | { readonly kind: "down"; readonly device: string; readonly why: string }
  /** A fault happened. */
  | { readonly kind: "fault"; readonly device?: string; readonly fault: string }
  /** The timeline did something. */
  | { readonly kind: "action"; readonly device?: string; readonly what: string }
  /** A line of the agent's log. */
  | { readonly kind: "line"; readonly device: string; readonly line: string };

/** A happening with its moment, in milliseconds after the start. */
export type RunEvent = Happening & { readonly atMs: number };

/** The events so far, and the subscribers to the next ones. */
export class History {
  readonly #now: () => number;
  readonly #events: RunEvent[] = [];
  readonly #watchers = new Set<(event: RunEvent) => void>();

  /** @param now Milliseconds after the start. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get events(): readonly RunEvent[] {
    return this.#events;
  }

  get nowMs(): number {
    return Math.round(this.#now());
  }

  add(happening: Happening): void {
    const event = { ...happening, atMs: this.nowMs };
    this.#events.push(event);
    for (const watch of [...this.#watchers]) watch(event);
  }

  /** @returns Unsubscribes. */
  watch(watcher: (event: RunEvent) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
