import { setTimeout as delay } from "node:timers/promises";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import type { SeededRandom } from "../../mock-server/system/seeded-random.ts";
import type { TorturedDevice } from "./device.ts";
import type { TorturedServer } from "./server.ts";

export const FAULTS = ["agent kill", "power cut", "no blocks", "no inodes", "read-only", "server kill"] as const;
export type FaultKind = (typeof FAULTS)[number];

const STATES = [
  ...["Download", "ArtifactInstall", "NeedsArtifactReboot", "ArtifactReboot", "ArtifactVerifyReboot"],
  ...["BeforeArtifactCommit", "ArtifactCommit", "AfterArtifactCommit", "SupportsRollback", "ArtifactRollback"],
  ...["ArtifactRollbackReboot", "ArtifactFailure", "Cleanup", "Report"],
];
const REQUESTS = {
  poll: (path: string) => path === DEVICE_PATHS.nextV2,
  login: (path: string) => path === DEVICE_PATHS.authRequests,
  report: (path: string) => path.endsWith("/status"),
  log: (path: string) => path.endsWith("/log"),
  download: (path: string) => /download/.test(path),
};
type RequestName = keyof typeof REQUESTS;
const REQUEST_NAMES = Object.keys(REQUESTS) as readonly RequestName[];

export interface PlannedFault {
  readonly kind: FaultKind;
  /** A state of the agent, a request to the server, or the moment before the deployment is created. */
  readonly when: string;
  readonly delayMs: number;
  /** After how long it ends, if the safety phase has not ended by then. */
  readonly holdMs: number;
}

export function drawFaults(chance: SeededRandom): PlannedFault[] {
  const count = chance.oneOf([0, 1, 1, 2, 2, 3]);
  return Array.from({ length: count }, () => ({
    kind: chance.oneOf(FAULTS),
    when: chance.happens(0.15) ? "before" : chance.oneOf(chance.happens(0.7) ? STATES : REQUEST_NAMES),
    delayMs: chance.happens(0.4) ? 0 : chance.integer(120),
    holdMs: chance.oneOf([100, 500, 1500, 60_000]),
  }));
}

export function describeFault({ kind, when, delayMs, holdMs }: PlannedFault): string {
  return `${kind} at ${when} + ${delayMs} ms for ${holdMs} ms`;
}

/** Carries the faults of one deployment out, one after the other, each when its moment has come. */
export class Tormentor {
  readonly happened: FaultKind[] = [];
  readonly #device: TorturedDevice;
  readonly #server: TorturedServer;
  readonly #say: (line: string) => void;
  readonly #afterServerStart: () => Promise<void>;
  #waiting: PlannedFault[];
  #over = false;
  #ended: () => void = () => undefined;
  readonly #safetyEnd = new Promise<void>((resolve) => {
    this.#ended = resolve;
  });
  readonly #underWay: Promise<void>[] = [];
  /** Only one thing is done to the disk, or to the server, at a time. */
  #turn: Promise<void> = Promise.resolve();
  #filled = false;
  #readOnly = false;

  constructor(
    device: TorturedDevice,
    server: TorturedServer,
    faults: readonly PlannedFault[],
    told: { readonly say: (line: string) => void; readonly afterServerStart: () => Promise<void> },
  ) {
    this.#device = device;
    this.#server = server;
    this.#waiting = [...faults];
    this.#say = told.say;
    this.#afterServerStart = told.afterServerStart;
  }

  /** Carry out what is to happen before the deployment is there. */
  async before(): Promise<void> {
    const due = this.#take((when) => when === "before");
    for (const fault of due) if (fault.kind !== "server kill") await this.#act(fault);
    for (const fault of due) if (fault.kind === "server kill") this.#waiting.push({ ...fault, when: "poll" });
  }

  entered(state: string): void {
    this.#start(this.#take((when) => when === state));
  }

  requested(path: string): void {
    this.#start(this.#take((when) => when in REQUESTS && REQUESTS[when as RequestName](path)));
  }

  /** Faults end: room on the disk, and the server runs. */
  async end(): Promise<void> {
    this.#over = true;
    this.#waiting = [];
    this.#ended();
    await Promise.all(this.#underWay);
    await this.#inTurn(async () => {
      this.#lift();
      await this.#startServer();
    });
  }

  #take(isDue: (when: string) => boolean): PlannedFault[] {
    const due = this.#waiting.filter(({ when }) => isDue(when));
    this.#waiting = this.#waiting.filter((fault) => !due.includes(fault));
    return due;
  }

  #start(due: readonly PlannedFault[]): void {
    for (const fault of due) {
      const acting = delay(fault.delayMs).then(() => this.#act(fault));
      acting.catch(() => undefined);
      this.#underWay.push(acting);
    }
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #act(fault: PlannedFault): Promise<void> {
    if (this.#over) return;
    let happened = false;
    await this.#inTurn(async () => {
      happened = await this.#begin(fault.kind);
    });
    if (!happened) return;
    this.happened.push(fault.kind);
    this.#say(`fault: ${describeFault(fault)}`);
    if (fault.kind === "agent kill" || fault.kind === "power cut") return;
    this.#underWay.push(this.#finish(fault));
  }

  async #finish({ kind, holdMs }: PlannedFault): Promise<void> {
    await Promise.race([delay(holdMs, undefined, { ref: false }), this.#safetyEnd]);
    await this.#inTurn(async () => {
      if (kind === "server kill") await this.#startServer();
      else this.#lift();
    });
    this.#say(`fault ends: ${kind}`);
  }

  /** @returns False if it cannot happen now. */
  async #begin(kind: FaultKind): Promise<boolean> {
    const { disk } = this.#device;
    switch (kind) {
      case "agent kill":
        return await this.#device.kill();
      case "power cut":
        await this.#device.cutPower();
        // It is mounted anew.
        this.#readOnly = false;
        return true;
      case "no blocks":
      case "no inodes":
        if (this.#filled || this.#readOnly) return false;
        this.#filled = true;
        if (kind === "no blocks") disk.fillBlocks();
        else disk.fillInodes();
        return true;
      case "read-only":
        if (this.#readOnly) return false;
        this.#readOnly = await disk.makeReadOnly();
        return this.#readOnly;
      case "server kill":
        if (!this.#server.runs) return false;
        await this.#server.kill();
        return true;
    }
  }

  #lift(): void {
    if (this.#readOnly) this.#device.disk.makeWritable();
    this.#readOnly = false;
    if (this.#filled) this.#device.disk.empty();
    this.#filled = false;
  }

  async #startServer(): Promise<void> {
    if (this.#server.runs) return;
    await this.#server.start();
    await this.#afterServerStart();
  }
}
