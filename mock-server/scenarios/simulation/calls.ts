import type { SystemError } from "@upkeep/shared/system";

/** One call on the door. */
export interface DoorCall {
  /** Of this boot, from 1, over all processes. */
  readonly number: number;
  readonly process: string;
  /** Such as `files.rename`. */
  readonly name: string;
  /** The path, address or command of the call. */
  readonly subject: string;
}

/**
 * Watches the calls on a machine's door, and interferes. Power may be cut from within `before` (the call
 * has no effect) and `after` (it has effect, but the caller never gets the answer).
 */
export interface CallObserver {
  before?(call: DoorCall): void;
  after?(call: DoorCall): void;
  /** Make the call fail with this error, without any effect. */
  fault?(call: DoorCall): SystemError | undefined;
  /** The free space at `path` that the machine is told in place of the real one. */
  freeBytes?(path: string, bytes: number): number;
  /** Virtual milliseconds until the answer arrives; at once if 0. */
  latencyMs?(call: DoorCall): number;
}
