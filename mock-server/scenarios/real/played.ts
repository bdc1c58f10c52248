import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { StateName } from "upkeep/index.ts";
import type { Moment } from "../../faults/index.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";
import type { StageDevice } from "../run/stage.ts";

/** A device of a scenario that is played for real: a process of this machine, or a device on the desk. */
export interface PlayedDevice extends StageDevice {
  readonly name: string;
  /** The status of its deployment at the server, and which that is. */
  status: DeviceDeploymentStatus | undefined;
  deployment: string | undefined;
  /** What failed since the scenario's time last moved. */
  failures: number;
  /** The agent's state, where it is known. */
  readonly state: StateName | undefined;
  readonly software: string;
  readonly provides: Readonly<Record<string, string>>;
  /** It has asked for a deployment, and there was none. */
  readonly isAtRest: boolean;
  /** Nothing is going on that the scenario's time could not go on over. */
  isSettled(quietMs: number): boolean;
  moment(request?: RequestKind): Moment;
  /** Something of it was heard. */
  heard(): void;
  /** It asks for a deployment: whatever it did before is over. */
  rest(): Promise<void>;
  /** @param status Of the answer: 200 gives it something to do. */
  polled(status: number): void;
  /** The scenario's time has moved. */
  timeMoved(): void;
  /** Look what is really there. */
  look(): Promise<void>;
  switchOn(): void;
  close(): Promise<void>;
}
