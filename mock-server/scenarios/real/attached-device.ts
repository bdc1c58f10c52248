import { given } from "@upkeep/shared/given";
import { type DeviceDeploymentStatus, isTerminal } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import type { Moment } from "../../faults/index.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";
import { Exchanges } from "./exchanges.ts";
import type { LiveDevice } from "./live-device.ts";

/** What the device reads of its scenario. */
interface AttachedScenario {
  /** By the scenario's clock. */
  nowMs(): number;
  /** The release of a deployment. */
  releaseOf(deployment: string | undefined): string | undefined;
}

/** A device that the runner does not control: it sees only the server's side. */
export class AttachedDevice implements LiveDevice {
  readonly name: string;
  status: DeviceDeploymentStatus | undefined;
  deployment: string | undefined;
  failures = 0;
  inventory: LiveDevice["inventory"] = {};
  readonly state = undefined;
  readonly software = "what only the device knows";
  readonly provides = {};
  readonly #scenario: AttachedScenario;
  readonly #clock: Clock;
  #polled = false;
  #lastMs: number;

  constructor(name: string, scenario: AttachedScenario, clock: Clock) {
    this.name = name;
    this.#scenario = scenario;
    this.#clock = clock;
    this.#lastMs = clock.monotonic();
  }

  get isAtRest(): boolean {
    return this.#polled && (this.status === undefined || this.status === "pending" || isTerminal(this.status));
  }

  /** It polls when it wants to. */
  readonly isDueToPoll = true;
  readonly dueMs = undefined;
  readonly exchanges = new Exchanges();

  isSettled(quietMs: number): boolean {
    return this.isAtRest || this.failures >= 2 || this.#clock.monotonic() - this.#lastMs > quietMs;
  }

  moment(request?: RequestKind): Moment {
    return {
      device: this.name,
      atMs: this.#scenario.nowMs(),
      status: this.status,
      ...given({ request, release: this.#scenario.releaseOf(this.deployment) }),
    };
  }

  midway(): void {
    // The device does not tell its states.
  }

  touch(): void {
    this.#lastMs = this.#clock.monotonic();
  }

  polled(status: number): void {
    this.#polled = status === 204;
  }

  timeMoved(): void {
    this.failures = 0;
    this.#polled = false;
    this.touch();
  }

  rest(): Promise<void> {
    return Promise.resolve();
  }

  look(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  // It is switched on already. Scenarios that act on the device are refused before they begin.
  switchOn(): void {
    this.touch();
  }

  get machine(): LiveDevice["machine"] {
    return { wallMs: this.#scenario.nowMs(), signalProgram: notInOurHands, setWallClock: notInOurHands };
  }

  readonly cutPower = notInOurHands;
  readonly switchOff = notInOurHands;
  readonly killAgent = notInOurHands;
}

function notInOurHands(): never {
  throw new Error("the device is not in our hands");
}
