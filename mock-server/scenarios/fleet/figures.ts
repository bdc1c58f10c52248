import { EXCHANGE_KINDS, type ExchangeKind } from "../wire/kinds.ts";
import { Latencies } from "./latencies.ts";

/** Activity of a virtual device. */
export const DEVICE_ACTIVITIES = ["outside", "idle", "downloading", "installing", "rebooting"] as const;
/** `outside`: not accepted by the server yet. */
export type DeviceActivity = (typeof DEVICE_ACTIVITIES)[number];

export interface LatencyFigures {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly longest: number;
}

export interface ExchangeFigures {
  readonly count: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** From the request to the answer's head, in milliseconds. */
  readonly latencyMs: LatencyFigures;
}

/** The figures of a fleet at one moment. */
export interface FleetSnapshot {
  readonly devices: Readonly<Record<DeviceActivity, number>>;
  readonly exchanges: Readonly<Partial<Record<ExchangeKind, ExchangeFigures>>>;
  readonly exchangesInAll: number;
  readonly latencyMs: LatencyFigures;
  /** Requests without an answer, by error code. */
  readonly connectionFaults: Readonly<Record<string, number>>;
  /** Answers with 5xx. */
  readonly serverFailures: number;
  /** Warnings and errors that the devices logged, by code. */
  readonly troubles: Readonly<Record<string, { readonly count: number; readonly example: string }>>;
  readonly updates: {
    readonly begun: number;
    readonly succeeded: number;
    readonly failed: number;
    readonly aborted: number;
  };
  readonly downloadedBytes: number;
}

interface Counted {
  readonly latencies: Latencies;
  readonly statuses: Map<number, number>;
}

function figuresOf(latencies: Latencies): LatencyFigures {
  const shown = (ms: number): number => Number(ms.toPrecision(3));
  return {
    p50: shown(latencies.percentile(0.5)),
    p95: shown(latencies.percentile(0.95)),
    p99: shown(latencies.percentile(0.99)),
    longest: shown(latencies.longestMs),
  };
}

/** Counts the activities and requests of a fleet. */
export class FleetFigures {
  readonly #activities = new Map<DeviceActivity, number>();
  readonly #exchanges = new Map<ExchangeKind, Counted>();
  readonly #all = new Latencies();
  readonly #faults = new Map<string, number>();
  readonly #troubles = new Map<string, { count: number; example: string }>();
  #serverFailures = 0;
  readonly #updates = { begun: 0, succeeded: 0, failed: 0, aborted: 0 };
  #downloadedBytes = 0;

  answered(kind: ExchangeKind, status: number, tookMs: number): void {
    let counted = this.#exchanges.get(kind);
    if (counted === undefined) {
      counted = { latencies: new Latencies(), statuses: new Map() };
      this.#exchanges.set(kind, counted);
    }
    counted.latencies.note(tookMs);
    counted.statuses.set(status, (counted.statuses.get(status) ?? 0) + 1);
    this.#all.note(tookMs);
    if (status >= 500) this.#serverFailures++;
  }

  unanswered(code: string): void {
    this.#faults.set(code, (this.#faults.get(code) ?? 0) + 1);
  }

  trouble(code: string, example: string): void {
    const known = this.#troubles.get(code);
    if (known === undefined) this.#troubles.set(code, { count: 1, example });
    else known.count++;
  }

  /** A device changes its activity; `from` is absent for a new device. */
  moves(to: DeviceActivity, from?: DeviceActivity): void {
    if (from !== undefined) this.#activities.set(from, (this.#activities.get(from) ?? 0) - 1);
    this.#activities.set(to, (this.#activities.get(to) ?? 0) + 1);
  }

  updateBegins(): void {
    this.#updates.begun++;
  }

  updateEnds(how: "succeeded" | "failed" | "aborted"): void {
    this.#updates[how]++;
  }

  downloaded(bytes: number): void {
    this.#downloadedBytes += bytes;
  }

  snapshot(): FleetSnapshot {
    const exchanges: Partial<Record<ExchangeKind, ExchangeFigures>> = {};
    for (const kind of EXCHANGE_KINDS) {
      const counted = this.#exchanges.get(kind);
      if (counted === undefined) continue;
      const { latencies, statuses } = counted;
      exchanges[kind] = {
        count: latencies.count,
        statuses: Object.fromEntries([...statuses].sort(([a], [b]) => a - b)),
        latencyMs: figuresOf(latencies),
      };
    }
    const devices = Object.fromEntries(
      DEVICE_ACTIVITIES.map((activity) => [activity, this.#activities.get(activity) ?? 0]),
    ) as Record<DeviceActivity, number>;
    return {
      devices,
      exchanges,
      exchangesInAll: this.#all.count,
      latencyMs: figuresOf(this.#all),
      connectionFaults: Object.fromEntries(this.#faults),
      serverFailures: this.#serverFailures,
      troubles: Object.fromEntries([...this.#troubles].map(([code, trouble]) => [code, { ...trouble }])),
      updates: { ...this.#updates },
      downloadedBytes: this.#downloadedBytes,
    };
  }
}
