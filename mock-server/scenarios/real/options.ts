import type { System } from "@upkeep/shared/system";
import type { ReadArtifact } from "../world/fleet.ts";

export interface StageOptions {
  readonly system: System;
  readonly readArtifact: ReadArtifact;
  /** The program and the file of `upkeep-server`. */
  readonly server: readonly [command: string, ...args: string[]];
  /** A directory that is there, for everything that devices and server have. */
  readonly directory: string;
}

export interface AttachOptions extends StageOptions {
  /** The device's id, a value of its identity, or `next`. */
  readonly attach: string;
  /** Where it finds its server. */
  readonly address: { readonly host: string; readonly port: number };
  /** Tells a person what to do, and what is going on. */
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface RealOptions extends StageOptions {
  /** The program and the file of the agent. */
  readonly agent: readonly [command: string, ...args: string[]];
  /** Of Node, for the programs on the devices. */
  readonly interpreter: string;
}
