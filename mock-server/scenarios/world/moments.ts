import type { ProgressEvent, StateName } from "upkeep/index.ts";
import type { DoorCall } from "../simulation/index.ts";
import { isInMemory } from "./disk-faults.ts";

/** A moment in the life of an update at which power may go: a state, or the number of a durable step. */
export type UpdateMoment =
  | { readonly when: "before" | "during" | "after"; readonly state: StateName }
  | { readonly when: "before_step" | "after_step"; readonly step: number };

/** Calls after which something has outlived a power cut. */
const DURABLE: ReadonlySet<string> = new Set(["file.sync", "files.syncDirectory", "files.rename"]);
/** States in which no update module is called are half over at this call on the door. */
const MIDDLE_CALL = 2;

/**
 * Tells of the moments of an update: states as they begin, are half over and end, and durable steps. A state in which
 * the update module works is half over when the module says so; a download, when half of it has arrived.
 */
export class UpdateMoments {
  readonly #tell: (moment: UpdateMoment) => void;
  #state: StateName | undefined;
  #middleIsOver = true;
  #calls = 0;
  #steps = 0;

  constructor(tell: (moment: UpdateMoment) => void) {
    this.#tell = tell;
  }

  get state(): StateName | undefined {
    return this.#state;
  }

  progress(event: ProgressEvent): void {
    if (event.kind === "state") this.#enter(event.state);
    else if (event.totalBytes !== undefined && event.receivedBytes >= event.totalBytes / 2) this.#middle();
  }

  /** The update is over, or the agent is gone. */
  leave(): void {
    this.#enter(undefined);
    this.#steps = 0;
  }

  /** The machine went down: nothing ended, it stopped. */
  forget(): void {
    this.#state = undefined;
    this.#steps = 0;
  }

  /** The update module has done half of a call. */
  midway(call: string): void {
    if (call === this.#state) this.#middle();
  }

  before(call: DoorCall): void {
    if (this.#state === undefined || isInMemory(call) || !DURABLE.has(call.name)) return;
    this.#steps++;
    this.#tell({ when: "before_step", step: this.#steps });
  }

  after(call: DoorCall): void {
    if (this.#state === undefined || isInMemory(call)) return;
    if (DURABLE.has(call.name)) this.#tell({ when: "after_step", step: this.#steps });
    if (++this.#calls === MIDDLE_CALL && !hasMiddleOfItsOwn(this.#state)) this.#middle();
  }

  #enter(state: StateName | undefined): void {
    const before = this.#state;
    if (before === state) return;
    if (before !== undefined) {
      this.#middle();
      this.#tell({ when: "after", state: before });
    }
    this.#state = state;
    this.#calls = 0;
    this.#middleIsOver = state === undefined;
    if (state !== undefined) this.#tell({ when: "before", state });
  }

  #middle(): void {
    if (this.#middleIsOver || this.#state === undefined) return;
    this.#middleIsOver = true;
    this.#tell({ when: "during", state: this.#state });
  }
}

function hasMiddleOfItsOwn(state: StateName): boolean {
  return state.startsWith("Artifact") || state === "Download";
}
