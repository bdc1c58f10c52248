import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import { validated } from "../api/validation.ts";
import { invalid, notFound } from "../errors.ts";
import { Fault } from "../faults/entry.ts";
import { type FaultName, FaultPlan, faultRow, type PlannedFault } from "../faults/index.ts";
import { instantMs } from "../faults/instants.ts";
import type { RequestKind } from "../faults/request-kinds.ts";
import type { ExchangeFault } from "../faults/wire/effects.ts";

/** What a server that runs cannot do, and why. */
const NOT_HERE: Partial<Record<FaultName, string>> = {
  dns_failure: "devices ask a name server that is not in our hands",
  tls_failure: "the connection is there before the server knows which device it is",
  server_killed: "a server does not come back by itself: send it SIGKILL",
};

/** Artifacts that are not as they should be, without those who made them. */
const BAD_BY_BYTES = ["corrupted", "truncated"];

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

/** Who asks what of the server. */
export interface ServerMoment {
  readonly kind: RequestKind;
  /** All names that the device may be called by; the first is its id. Empty: not known. */
  readonly names: readonly string[];
  readonly status: DeviceDeploymentStatus | undefined;
}

export interface ServerStrikes {
  readonly exchange: readonly ExchangeFault[];
  /** So much longer the database takes, in milliseconds. */
  readonly databaseMs: number;
}

/** The faults of a server that runs, as they stand in scenario files, switched on and off one by one. */
export class ServerFaults {
  readonly #clock: Clock;
  readonly #entries = new Map<number, Entry>();
  #ids = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws DomainError (invalid) that says what of it is wrong, or why it cannot be done here. */
  add(asked: unknown): SwitchedFault {
    const { what, from, until, while: states, ...rest } = validated(Fault, asked);
    checkPossible(what, states !== undefined);
    const startMs = this.#clock.now();
    const planned: PlannedFault = {
      ...rest,
      what,
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

  /** What happens to this request. Each fault that does is counted. */
  strikes({ kind, names, status }: ServerMoment): ServerStrikes {
    const exchange: ExchangeFault[] = [];
    let databaseMs = 0;
    for (const entry of this.#entries.values()) {
      const { plan, startMs } = entry;
      const [planned] = plan.faults;
      // A file has one name for a device; a server knows it by several.
      const device = names.find((name) => planned?.devices?.includes(name)) ?? names[0] ?? "";
      const moment = { device, atMs: this.#clock.now() - startMs, request: kind, status };
      const struck = [...plan.strikes("exchange", moment), ...plan.strikes("server", moment)];
      entry.happened += struck.length;
      for (const strike of struck) {
        if (strike.fault === "database_slow") databaseMs += strike.value;
        else if (strike.fault !== "server_killed") exchange.push(strike);
      }
    }
    return { exchange, databaseMs };
  }
}

function shown({ id, fault, happened }: Entry): SwitchedFault {
  return { id, fault, happened };
}

function checkPossible({ fault, value }: PlannedFault["what"], needsState: boolean): void {
  const { concern, modes } = faultRow(fault);
  const reason =
    NOT_HERE[fault] ??
    (concern === "exchange" || concern === "server" ? undefined : modes.attached === true ? undefined : modes.attached);
  if (reason !== undefined) throw invalid(`${fault} is not possible here: ${reason}`);
  if (fault === "bad_artifact" && !BAD_BY_BYTES.includes(value)) {
    throw invalid(`bad_artifact: ${value} is not possible here: upload such an artifact, and deploy it`);
  }
  if (needsState)
    throw invalid("while: the server does not know the agent's state; during tells the status that it knows");
}
