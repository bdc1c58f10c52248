import type { SystemError } from "@upkeep/shared/system";

/** One call on the door. */
export interface DoorCall {
  /** Of this boot, from 1, over all processes. */
  readonly number: number;
  readonly process: string;
  /** Such as `files.rename`. */
  readonly name: string;
  /** What it was about: a path, an address, a command. */
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
  /** What the machine is told of the room at `path` in place of what there is. */
  freeBytes?(path: string, bytes: number): number;
  /** Virtual milliseconds until the answer arrives; at once if 0. */
  latencyMs?(call: DoorCall): number;
}
