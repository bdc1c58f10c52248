import { printable } from "@upkeep/shared/text";
import type { Api } from "../api.ts";
import type { Ctl } from "../context.ts";
import { type Deployment, progressBar, progressOf, progressText, stateOf } from "../deployments.ts";
import { type ChangeEvent, keptEvents } from "../events.ts";
import { statusColoured } from "../output/colours.ts";
import { eventText } from "../output/event-text.ts";
import { LiveArea } from "../output/live.ts";
import { shortened } from "../output/table.ts";

const STATUSES = ["accepted", "pending", "rejected"] as const;
/** Least time between two pictures, in milliseconds. */
const DRAW_EVERY_MS = 1000;
const DEPLOYMENTS_MAX = 10;
const EVENTS_MAX = 8;

/** What is shown. */
interface Fleet {
  readonly counts: readonly (readonly [status: string, count: number])[];
  readonly running: readonly Deployment[];
}

/** Shows what the fleet does, until it is interrupted. */
export async function watch(_: object, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const names = new Map<string, string>();
  const nameOf = (id: string): string | undefined => names.get(id);
  const screen = ctl.isLive ? new Screen(ctl, api, names) : undefined;
  const onAway = (reason: string): void => {
    if (screen === undefined) ctl.say(`${reason}; it is shown on as soon as the server answers`);
    else screen.note(reason);
  };
  const onOpen = (): void => screen?.refresh();
  for await (const event of keptEvents(api, { timers: ctl.system.timers, onAway, onOpen })) {
    if (ctl.json) ctl.printJsonLine(event);
    else if (screen !== undefined) screen.tell(event);
    else if (!isNoise(event)) {
      if (event.kind.includes("deployment")) await learn(api, event, names);
      ctl.print(printable(eventText(event, nameOf)));
    }
  }
}

/** Inventories come from each device all the time. */
function isNoise({ kind }: ChangeEvent): boolean {
  return kind === "inventory";
}

/** Finds out what a deployment is called. */
async function learn(api: Api, { subject }: ChangeEvent, names: Map<string, string>): Promise<void> {
  if (subject === undefined || names.has(subject)) return;
  const path = "/api/management/v1/deployments/deployments/{id}";
  const name = await api.call("get", path, { params: { id: subject } }).then(
    ({ data }) => data.name,
    () => undefined,
  );
  if (name !== undefined) names.set(subject, name);
}

async function fleetOf(api: Api): Promise<Fleet> {
  const counts = await Promise.all(
    STATUSES.map(async (status) => {
      const { data } = await api.call("get", "/api/management/v2/devauth/devices/count", { query: { status } });
      return [status, data.count] as const;
    }),
  );
  const path = "/api/management/v1/deployments/deployments";
  const running = await Promise.all(
    (["inprogress", "pending"] as const).map(
      async (status) => (await api.call("get", path, { query: { status, per_page: DEPLOYMENTS_MAX } })).data,
    ),
  );
  return { counts, running: running.flat() };
}

/** The picture on a terminal. */
class Screen {
  readonly #ctl: Ctl;
  readonly #api: Api;
  readonly #names: Map<string, string>;
  readonly #area = new LiveArea();
  readonly #happened: string[] = [];
  #note = "";
  #isDue = false;
  #isBusy = false;

  constructor(ctl: Ctl, api: Api, names: Map<string, string>) {
    this.#ctl = ctl;
    this.#api = api;
    this.#names = names;
  }

  tell(event: ChangeEvent): void {
    if (!isNoise(event)) {
      this.#happened.push(eventText(event, (id) => this.#names.get(id)));
      if (this.#happened.length > EVENTS_MAX) this.#happened.shift();
    }
    this.refresh();
  }

  note(text: string): void {
    this.#note = text;
    this.refresh();
  }

  /** Draws anew, soon. */
  refresh(): void {
    this.#isDue = true;
    if (!this.#isBusy) void this.#drawWhileDue();
  }

  async #drawWhileDue(): Promise<void> {
    this.#isBusy = true;
    try {
      while (this.#isDue) {
        this.#isDue = false;
        await this.#draw();
        await this.#ctl.system.timers.sleep(DRAW_EVERY_MS);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  async #draw(): Promise<void> {
    const { colours } = this.#ctl;
    const fleet = await fleetOf(this.#api).catch((error: unknown) => {
      this.#note = error instanceof Error ? error.message : String(error);
      return undefined;
    });
    if (fleet === undefined) {
      this.#area.draw([colours.red(printable(this.#note))]);
      return;
    }
    this.#note = "";
    for (const { id, name } of fleet.running) this.#names.set(id, name);
    const counts = fleet.counts.map(([status, count]) => `${count} ${statusColoured(status, status, colours)}`);
    this.#area.draw([
      `${colours.bold("Devices")}  ${counts.join("  ")}`,
      "",
      colours.bold(fleet.running.length === 0 ? "No deployment is running" : "Deployments"),
      ...fleet.running.slice(0, DEPLOYMENTS_MAX).flatMap((deployment) => this.#lines(deployment)),
      "",
      ...this.#happened.map((text) => colours.dim(printable(text))),
    ]);
  }

  #lines(deployment: Deployment): readonly string[] {
    const { colours } = this.#ctl;
    const progress = progressOf(deployment);
    const state = stateOf(deployment);
    const width = Math.max(Math.min(Math.floor(this.#area.columns / 3), 40), 8);
    const name = shortened(printable(deployment.name), Math.max(this.#area.columns - 16, 8));
    return [
      `${name}  ${statusColoured(state, state, colours)}`,
      `${progressBar(progress, width, colours)}  ${progressText(progress)}`,
    ];
  }
}
