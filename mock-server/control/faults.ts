import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import { validated } from "../api/validation.ts";
import { invalid, notFound } from "../errors.ts";
import { Fault } from "../faults/entry.ts";
import { FaultPlan, type PlannedFault, reasonsAgainst, type Strike } from "../faults/index.ts";
import { instantMs } from "../faults/language/instants.ts";
import type { RequestKind } from "../faults/language/request-kinds.ts";

/** A fault that was switched on. */
export interface SwitchedFault {
  readonly id: number;
  /** As it was asked for. */
  readonly fault: Readonly<Record<string, unknown>>;
  /** How often it has happened. */
  readonly happened: number;
}

interface Entry {
  readonly id: number;
  readonly fault: Readonly<Record<string, unknown>>;
  readonly plan: FaultPlan;
  readonly startMs: number;
  happened: number;
}

/** A request and its device, as the server sees them. */
export interface ServerMoment {
  readonly kind: RequestKind;
  /** All names that the device may be called by; the first is its id. Empty: not known. */
  readonly names: readonly string[];
  readonly status: DeviceDeploymentStatus | undefined;
}

/** The faults of a running server, written as in scenario files, switched on and off one by one. */
export class ServerFaults {
  readonly #clock: Clock;
  readonly #entries = new Map<number, Entry>();
  #ids = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws DomainError (invalid) that names the error in it, or why it is not possible here. */
  add(asked: unknown): SwitchedFault {
    const { from, until, ...rest } = validated(Fault, asked);
    checkPossible(rest);
    const startMs = this.#clock.now();
    const planned: PlannedFault = {
      ...rest,
      ...(from === undefined ? {} : { fromMs: instantMs(from, startMs) }),
      ...(until === undefined ? {} : { untilMs: instantMs(until, startMs) }),
    };
    this.#ids += 1;
    const entry: Entry = {
      id: this.#ids,
      fault: asked as Record<string, unknown>,
      plan: new FaultPlan([planned], String(this.#ids)),
      startMs,
      happened: 0,
    };
    this.#entries.set(entry.id, entry);
    return shown(entry);
  }

  /** In the order in which they were switched on. */
  list(): readonly SwitchedFault[] {
    return [...this.#entries.values()].map(shown);
  }

  /** @throws DomainError (not-found) */
  remove(id: number): void {
    if (!this.#entries.delete(id)) throw notFound(`there is no fault ${id}`);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The faults that happen to this request; each is counted. */
  strikes({ kind, names, status }: ServerMoment): readonly Strike<"exchange">[] {
    const all: Strike<"exchange">[] = [];
    for (const entry of this.#entries.values()) {
      const { plan, startMs } = entry;
      const [planned] = plan.faults;
      // A file has one name for a device; a server knows it by several.
      const device = names.find((name) => planned?.devices?.includes(name)) ?? names[0] ?? "";
      const moment = { device, atMs: this.#clock.now() - startMs, request: kind, status };
      const strikes = plan.strikes("exchange", moment);
      entry.happened += strikes.length;
      all.push(...strikes);
    }
    return all;
  }
}

function shown({ id, fault, happened }: Entry): SwitchedFault {
  return { id, fault, happened };
}

/** Conditions of which only the device, or the scenario, knows whether they are met. */
const UNKNOWN_HERE = {
  while: "the server does not know the agent's state; during tells the status that it knows",
  runs: "the server does not know what runs on the device",
  release: "the faults of a running server belong to no scenario; during tells the status of the deployment",
} as const satisfies Partial<Record<keyof PlannedFault, string>>;

function checkPossible(fault: Omit<PlannedFault, "fromMs" | "untilMs">): void {
  const [reason] = reasonsAgainst(fault.what, "control");
  if (reason !== undefined) throw invalid(`${reason[0]} is not possible here: ${reason[1]}`);
  for (const [condition, why] of Object.entries(UNKNOWN_HERE))
    if (fault[condition as keyof typeof UNKNOWN_HERE] !== undefined) throw invalid(`${condition}: ${why}`);
}
