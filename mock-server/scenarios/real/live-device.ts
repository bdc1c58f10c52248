import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { StateName } from "upkeep/index.ts";
import type { Moment } from "../../faults/index.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";
import type { StageDevice } from "../run/stage.ts";

/** A device of a real run: a process of this machine, or an attached device. */
export interface LiveDevice extends StageDevice {
  readonly name: string;
  /** Name and status of its deployment at the server. */
  status: DeviceDeploymentStatus | undefined;
  deployment: string | undefined;
  /** Failed requests since the scenario's time last advanced; counted of an attached device only. */
  failures: number;
  /** The agent's state, if known. */
  readonly state: StateName | undefined;
  readonly software: string;
  readonly provides: Readonly<Record<string, string>>;
  /** True if it is not in the middle of an update, as far as is known. */
  readonly isAtRest: boolean;
  /** True if the scenario's time may advance without interrupting the device. */
  isSettled(quietMs: number): boolean;
  /** True if, by the scenario's clock, it is to poll now. */
  readonly isDueToPoll: boolean;
  /** When its next timer is due, in milliseconds of the scenario; `undefined` if that is not known. */
  readonly dueMs: number | undefined;
  moment(request?: RequestKind): Moment;
  /** Notes a sign of life. */
  touch(): void;
  /** A poll shows that no update is under way. */
  rest(): Promise<void>;
  /** @param status Of the answer to a poll: 200 starts a deployment. */
  polled(status: number): void;
  /** The middle of a module call or of a download. */
  midway(state: string): void;
  /** The scenario's time has advanced. */
  timeMoved(): void;
  /** Refreshes software and provides. */
  look(): Promise<void>;
  switchOn(): void;
  close(): Promise<void>;
}
