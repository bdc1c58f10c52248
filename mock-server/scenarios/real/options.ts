import type { System } from "@upkeep/shared/system";
import type { ReadArtifact } from "../world/fleet.ts";

export interface StageOptions {
  readonly system: System;
  readonly readArtifact: ReadArtifact;
  /** Command line of `upkeep-server`. */
  readonly server: readonly [command: string, ...args: string[]];
  /** An existing directory for the files of devices and server. */
  readonly directory: string;
  /** Payload type of the artifacts; default: that of the update module of the scenario's own devices. */
  readonly payloadType?: string;
}

export interface AttachOptions extends StageOptions {
  /** The device's id, a value of its identity, or `next`. */
  readonly attach: string;
  /** The address at which the device reaches this server. */
  readonly address: { readonly host: string; readonly port: number };
  /** Shows instructions and progress to the user. */
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface RealOptions extends StageOptions {
  /** Command line of the agent. */
  readonly agent: readonly [command: string, ...args: string[]];
  /** Path of Node, for the programs on the devices. */
  readonly interpreter: string;
}
