import type { TlsOptions } from "@upkeep/shared/system";
import type { Range, Weights } from "./distributions.ts";

/** The behaviour of a fleet of virtual devices. Times are milliseconds. */
export interface FleetPlan {
  readonly devices: number;
  /** URL of the server, without a slash at the end. */
  readonly server: string;
  readonly tls: TlsOptions;
  readonly tenantToken: string;
  /** Seed of identities, keys and all random values. */
  readonly seed: string;
  readonly types: Weights;
  /** Name of the artifact on new devices. */
  readonly artifactName: string;
  /** Each device draws its own interval. */
  readonly pollMs: Range;
  readonly inventoryMs: Range;
  /** Up to this share of an interval is added to it, 0 to 1. */
  readonly jitter: number;
  /** The longest pause after a failure. */
  readonly retryMs: number;
  /** The devices start within this time. */
  readonly startMs: number;
  /** Each device draws the speed of its link, in bytes per second; 0: as fast as it goes. */
  readonly speed: Range;
  /** How long a device takes to install, and to reboot. */
  readonly installMs: Range;
  /** `undefined`: devices do not reboot. */
  readonly rebootMs: Range | undefined;
  /** Share of the updates that fail on the device, 0 to 1. */
  readonly failures: number;
}
