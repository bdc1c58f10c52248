import { given } from "@upkeep/shared/given";
import { type DeviceDeploymentStatus, isTerminal } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import type { Moment } from "../../faults/index.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";
import type { PlayedDevice } from "./played.ts";

/** A device of which only the server's side is in our hands. */
export class AttachedDevice implements PlayedDevice {
  readonly name: string;
  status: DeviceDeploymentStatus | undefined;
  deployment: string | undefined;
  failures = 0;
  inventory: PlayedDevice["inventory"] = {};
  readonly state = undefined;
  readonly software = "what only the device knows";
  readonly provides = {};
  readonly #nowMs: () => number;
  readonly #clock: Clock;
  #polled = false;
  #lastMs: number;

  /** @param nowMs By the scenario's clock. */
  constructor(name: string, nowMs: () => number, clock: Clock) {
    this.name = name;
    this.#nowMs = nowMs;
    this.#clock = clock;
    this.#lastMs = clock.monotonic();
  }

  get isAtRest(): boolean {
    return this.#polled && (this.status === undefined || this.status === "pending" || isTerminal(this.status));
  }

  isSettled(quietMs: number): boolean {
    return this.isAtRest || this.failures >= 2 || this.#clock.monotonic() - this.#lastMs > quietMs;
  }

  moment(request?: RequestKind): Moment {
    return {
      device: this.name,
      atMs: this.#nowMs(),
      status: this.status,
      ...given({ request }),
    };
  }

  heard(): void {
    this.#lastMs = this.#clock.monotonic();
  }

  polled(status: number): void {
    this.#polled = status === 204;
  }

  timeMoved(): void {
    this.failures = 0;
    this.#polled = false;
    this.heard();
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

  // It is switched on already. What would be done to it is refused before a scenario begins.
  switchOn(): void {
    this.heard();
  }

  get machine(): PlayedDevice["machine"] {
    return { wallMs: this.#nowMs(), signalProgram: notInOurHands, setWallClock: notInOurHands };
  }

  readonly cutPower = notInOurHands;
  readonly switchOff = notInOurHands;
  readonly killAgent = notInOurHands;
}

function notInOurHands(): never {
  throw new Error("the device is not in our hands");
}
