import { LinkedController } from "@upkeep/shared/system";
import { printable } from "@upkeep/shared/text";
import { type Api, ApiError, Unreachable } from "./api.ts";
import type { Ctl } from "./context.ts";
import {
  type Deployment,
  endOf,
  getDeployment,
  progressBar,
  progressOf,
  progressText,
  stateOf,
} from "./deployments.ts";
import { readEvents } from "./events.ts";
import { CtlError, EXIT, type ExitCode } from "./failure.ts";
import { statusColoured } from "./output/colours.ts";
import { LiveArea } from "./output/live.ts";
import { durationText, SHORT_ID } from "./output/texts.ts";
import { type Failure, failuresOf } from "./reasons.ts";

/** Least time between two looks, in milliseconds. */
const LOOK_LEAST_MS = 300;
/** Without events one looks so often, in milliseconds. */
const LOOK_EVERY_MS = 5000;
/** Pauses while the server cannot be reached. */
const AWAY_MS_MAX = 30_000;
const REASONS_MAX = 5;

interface FollowPorts {
  readonly api: Api;
  readonly ctl: Ctl;
  /** `undefined`: for ever. */
  readonly timeoutMs: number | undefined;
}

/**
 * Shows how a deployment goes on until it has ended, and prints what has come of it.
 * @returns The exit code that tells how it ended
 */
export async function follow(id: string, { api, ctl, timeoutMs }: FollowPorts): Promise<ExitCode> {
  const { system } = ctl;
  const ending = new AbortController();
  const stops = (["SIGINT", "SIGTERM"] as const).map((name) =>
    system.processes.onSignal(name, () => ending.abort(EXIT.interrupted)),
  );
  const timer = timeoutMs === undefined ? undefined : system.timers.after(timeoutMs, () => ending.abort(EXIT.timeout));
  const picture = new Picture(ctl);
  const changes = new Changes(api, id, ending.signal);
  try {
    for (;;) {
      const deployment = await looked(id, { api, ctl, picture, signal: ending.signal });
      const failures = await failuresOf(api, deployment, ending.signal);
      if (deployment.status === "finished") {
        picture.end();
        return told(ctl, deployment, failures);
      }
      picture.show(deployment, failures);
      await Promise.all([
        system.timers.sleep(LOOK_LEAST_MS, ending.signal),
        changes.next(system.timers, LOOK_EVERY_MS),
      ]);
    }
  } catch (error) {
    picture.end();
    if (!ending.signal.aborted) throw error;
    return left(ctl, id, ending.signal.reason === EXIT.timeout ? EXIT.timeout : EXIT.interrupted);
  } finally {
    timer?.cancel();
    for (const stop of stops) stop();
    changes.end();
  }
}

/** The deployment, as soon as the server answers. */
async function looked(
  id: string,
  {
    api,
    ctl,
    picture,
    signal,
  }: Pick<FollowPorts, "api" | "ctl"> & {
    readonly picture: Picture;
    readonly signal: AbortSignal;
  },
): Promise<Deployment> {
  for (let pauseMs = 1000; ; pauseMs = Math.min(2 * pauseMs, AWAY_MS_MAX)) {
    signal.throwIfAborted();
    try {
      return await getDeployment(api, id, signal);
    } catch (error) {
      const isAway = error instanceof Unreachable || (error instanceof ApiError && error.status >= 500);
      if (!isAway) throw error;
      picture.tell(`${error.message}; again in ${durationText(pauseMs)}`);
      await ctl.system.timers.sleep(pauseMs, signal);
    }
  }
}

/** Tells when something of a deployment has changed, where the server tells events. */
class Changes {
  readonly #ending: LinkedController;
  #happened = false;
  #tell: (() => void) | undefined;
  #isLive = false;

  constructor(api: Api, id: string, signal: AbortSignal) {
    this.#ending = new LinkedController(signal);
    void this.#read(api, id);
  }

  async #read(api: Api, id: string): Promise<void> {
    try {
      const onOpen = (): void => {
        this.#isLive = true;
      };
      const kinds = ["deployment", "device_deployment"];
      for await (const { kind, subject } of readEvents(api, { kinds, signal: this.#ending.signal, onOpen })) {
        if (subject !== id && kind !== "reset") continue;
        this.#happened = true;
        this.#tell?.();
      }
    } catch (error) {
      // Without the stream one looks every few seconds; what is wrong with the server is told there.
      if (!(error instanceof CtlError) && !this.#ending.signal.aborted) throw error;
    } finally {
      this.#isLive = false;
    }
  }

  /** Resolves with the next change, at the latest after some seconds. */
  async next(timers: Ctl["system"]["timers"], everyMs: number): Promise<void> {
    const change = new Promise<void>((resolve) => {
      this.#tell = resolve;
      if (this.#happened) resolve();
    });
    const over = new LinkedController(this.#ending.signal);
    try {
      const time = timers.sleep(this.#isLive ? 3 * everyMs : everyMs, over.signal);
      // If the change comes first, the time is cut short.
      time.catch(() => undefined);
      await Promise.race([change, time]);
    } finally {
      this.#happened = false;
      over.abort();
      over.release();
    }
  }

  end(): void {
    this.#ending.release();
    this.#ending.abort();
  }
}

/** How a deployment goes on: drawn anew on a terminal, else a line for each change. */
class Picture {
  readonly #ctl: Ctl;
  readonly #area = new LiveArea();
  #last = "";

  constructor(ctl: Ctl) {
    this.#ctl = ctl;
  }

  show(deployment: Deployment, failures: readonly Failure[]): void {
    const progress = progressOf(deployment);
    const state = stateOf(deployment);
    if (!this.#ctl.isLive) {
      const text = `${state}: ${progressText(progress)}`;
      if (text !== this.#last) this.#ctl.say(text);
      this.#last = text;
      return;
    }
    const { colours } = this.#ctl;
    const width = Math.max(Math.min(this.#area.columns - 1, 60), 10);
    this.#area.draw([
      `${colours.bold(printable(deployment.name))}  ${statusColoured(state, state, colours)}`,
      progressBar(progress, width, colours),
      progressText(progress),
      ...statusLines(deployment),
      ...(deployment.paused === undefined ? [] : [`paused: ${printable(deployment.paused.reason)}`]),
      ...failures
        .slice(0, REASONS_MAX)
        .map(({ count, reason }) => colours.red(`${count} failed: ${printable(reason)}`)),
      colours.dim("Ctrl-C stops waiting; the deployment goes on"),
    ]);
  }

  /** A line that stays. */
  tell(text: string): void {
    if (this.#ctl.isLive) this.#area.add(printable(text));
    else this.#ctl.say(text);
  }

  end(): void {
    if (this.#ctl.isLive) this.#area.clear();
  }
}

/** The devices that are under way, by status. */
function statusLines({ statistics }: Deployment): readonly string[] {
  const active = [
    "downloading",
    "installing",
    "rebooting",
    "pause_before_installing",
    "pause_before_rebooting",
    "pause_before_committing",
  ];
  const parts = Object.entries(statistics?.status ?? {}).filter(
    ([status, count]) => active.includes(status) && count > 0,
  );
  return parts.length === 0
    ? []
    : [parts.map(([status, count]) => `${status.replaceAll("_", " ")} ${count}`).join("  ")];
}

/** Prints how it ended. */
function told(ctl: Ctl, deployment: Deployment, failures: readonly Failure[]): ExitCode {
  const end = endOf(deployment);
  if (ctl.json) ctl.printJson(deployment);
  else {
    const paint = end === "succeeded" ? ctl.colours.green : ctl.colours.red;
    ctl.print(`${paint(end)}: ${progressText(progressOf(deployment))}`);
    for (const { count, reason } of failures) ctl.print(`${count} failed: ${printable(reason)}`);
    if (failures.length > 0) {
      ctl.say(`'upkeepctl deployments devices ${deployment.id.slice(0, SHORT_ID)} --status failure' lists them`);
    }
  }
  return end === "succeeded" ? EXIT.ok : EXIT.failed;
}

function left(ctl: Ctl, id: string, exit: typeof EXIT.timeout | typeof EXIT.interrupted): ExitCode {
  const why = exit === EXIT.timeout ? "The time to wait is over" : "Interrupted";
  ctl.say(`${why}; the deployment goes on. 'upkeepctl deployments wait ${id.slice(0, SHORT_ID)}' waits again.`);
  return exit;
}
