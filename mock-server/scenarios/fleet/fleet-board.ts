import type { AgentParts } from "upkeep/index.ts";
import type { DeviceActivity, FleetFigures } from "./figures.ts";

type Board = AgentParts["statusBoard"];

// Not functions of each board, of which a process holds up to a hundred thousand.
const ignore = (): void => undefined;
const closed = async (): Promise<void> => undefined;

/** The status board of a virtual device: the fleet's figures count in which activity the device is. */
export class FleetBoard implements Board {
  readonly activity = ignore;
  readonly waiting = ignore;
  readonly server = ignore;
  readonly updating = ignore;
  readonly progress = ignore;
  readonly close = closed;
  readonly #figures: FleetFigures;
  #activity: DeviceActivity = "outside";

  constructor(figures: FleetFigures) {
    this.#figures = figures;
  }

  moves(to: DeviceActivity): void {
    this.#figures.moves(to, this.#activity);
    this.#activity = to;
  }

  /** A poll that is answered shows that the server lets the device in. */
  told(what: Parameters<Board["told"]>[0], refusal: string | null): void {
    if (what === "poll" && refusal === null && this.#activity === "outside") this.moves("idle");
  }
}
