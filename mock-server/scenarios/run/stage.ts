import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { Timer } from "@upkeep/shared/system";
import type { FaultPlan, FaultValue } from "../../faults/index.ts";
import type { Action, Deployment, Scenario } from "../file/index.ts";
import type { DeploymentView, History } from "./events.ts";

/** The certificate that `renew_certificate` of a timeline tells of. */
export type NewCertificate = Extract<Action, { readonly action: "renew_certificate" }>["value"];

/** The actions of a timeline on a device. */
export interface StageDevice {
  /** The output of its inventory script from now on. */
  inventory: Readonly<Record<string, string | number | readonly string[]>>;
  readonly machine: {
    readonly wallMs: number;
    signalProgram(name: "SIGUSR1" | "SIGUSR2"): void;
    setWallClock(wallMs: number): void;
  };
  cutPower(leaves: FaultValue<"power_cut">["leaves"], forMs: number): void;
  switchOff(): void;
  switchOn(): void;
  killAgent(): void;
}

/** Actions of an operator at the server; devices and deployments go by their names in the scenario. */
export interface Operator {
  deploy(deployment: Deployment): Promise<void>;
  abort(deployment: string): Promise<void>;
  finish(deployment: string): Promise<void>;
  pause(deployment: string): Promise<void>;
  resume(deployment: string): Promise<void>;
  accept(device: string): Promise<void>;
  reject(device: string): Promise<void>;
  decommission(device: string): Promise<void>;
  moveToGroup(device: string, group: string): Promise<void>;
  deleteRelease(name: string): Promise<void>;
}

/** Where a scenario runs: in virtual time, or with processes of this machine. */
export interface Stage {
  readonly scenario: Scenario;
  readonly history: History;
  readonly plan: FaultPlan;
  /** By the scenario's clock: milliseconds after its start. */
  readonly time: { readonly nowMs: number; after(delayMs: number, action: () => void): Timer };
  device(name: string): StageDevice;
  /** An operator's action, and the recording of its consequences. */
  atServer(action: (operator: Operator) => Promise<void>): Promise<void>;
  killServer(backAfterMs: number): void;
  /** The server has another certificate from now on. */
  renewCertificate(certificate: NewCertificate): void;
  /** @param byMs How much later it is on the server's wall clock from now on; less than 0: earlier. */
  jumpServerClock(byMs: number): void;
  /** Sets the wall clocks of devices as the active faults require. */
  setClocks(): void;
  /** What the server says of a deployment now. */
  deployment(name: string): Promise<
    | (DeploymentView & {
        readonly statistics: Readonly<Partial<Record<DeviceDeploymentStatus, number>>>;
      })
    | undefined
  >;
}
