import type { Logger } from "@upkeep/shared/logging";
import { type CronTask, isSystemError, type System, type Timer } from "@upkeep/shared/system";
import type { WindowSettings } from "../config/settings.ts";
import { AgentError } from "../errors.ts";

export type WindowSystem = Pick<System, "clock" | "timers" | "cron" | "random">;

/** Longer than any month: a schedule with a longer gap is probably a mistake. */
const LONG_GAP_MS = 32 * 24 * 3600_000;

const KEYS = { polls: "UpdatePollSchedule", installs: "InstallWindow" } as const;

/** Maintenance windows: calls back at the times of cron expressions. */
export class MaintenanceWindows {
  readonly #system: WindowSystem;
  readonly #settings: WindowSettings;
  readonly #log: Logger;
  #pollTask: CronTask | undefined;
  #installTask: CronTask | undefined;
  readonly #delays = new Set<Timer>();

  constructor(system: WindowSystem, settings: WindowSettings, log: Logger) {
    this.#system = system;
    this.#settings = settings;
    this.#log = log;
  }

  /** @throws AgentError `config-invalid`, naming the key and what is wrong with its value. */
  async check(): Promise<void> {
    const { cron, clock } = this.#system;
    for (const which of ["polls", "installs"] as const) {
      const expression = this.#settings[which];
      if (expression === undefined) continue;
      const fields = expression.trim().split(/\s+/).length;
      if (fields !== 5) {
        throw new AgentError(
          "config-invalid",
          `${KEYS[which]} must have five fields, but '${expression}' has ${fields}`,
        );
      }
      try {
        await cron.matches(expression, clock.now(), this.#settings.timezone);
      } catch (error) {
        if (!isSystemError(error, "EINVAL")) throw error;
        const key = (await cron.fault(expression)) === undefined ? "ScheduleTimezone" : KEYS[which];
        throw new AgentError("config-invalid", `${key}: ${error.message}`, { cause: error });
      }
      await this.#demandNextTime(KEYS[which], expression);
    }
  }

  /** Refuses a schedule that names no time, and warns of one with long gaps: polls by schedule have no interval besides. */
  async #demandNextTime(key: string, expression: string): Promise<void> {
    const { cron, clock } = this.#system;
    const task = await cron.schedule(expression, () => undefined, this.#settings.timezone);
    const nextMs = task.next();
    task.stop();
    if (nextMs === undefined) {
      throw new AgentError("config-invalid", `${key}: cron expression '${expression}' names a time that never comes`);
    }
    if (nextMs - clock.now() <= LONG_GAP_MS) return;
    const next = new Date(nextMs).toISOString();
    const until = key === KEYS.polls ? "the server is not asked for deployments" : "no update begins";
    this.#log.warning(`${key} is '${expression}', which comes next at ${next}: until then ${until}`);
  }

  /** Call `poll` at each time that the schedule names; never if there is none. */
  async start(poll: () => void): Promise<void> {
    const { polls, timezone } = this.#settings;
    if (polls !== undefined) {
      this.#pollTask = await this.#system.cron.schedule(polls, () => this.#later(poll), timezone);
    }
  }

  async mayInstall(): Promise<boolean> {
    const { installs, timezone } = this.#settings;
    return installs === undefined || (await this.#system.cron.matches(installs, this.#system.clock.now(), timezone));
  }

  /** Calls `action` once, when the window for installations opens next. A second call before that has no effect. */
  async whenInstallOpens(action: () => void): Promise<void> {
    const { installs, timezone } = this.#settings;
    if (installs === undefined || this.#installTask !== undefined) return;
    const opened = (): void => {
      this.#installTask?.stop();
      this.#installTask = undefined;
      this.#log.debug("the window for installations has opened");
      this.#later(action);
    };
    this.#installTask = await this.#system.cron.schedule(installs, opened, timezone);
  }

  stop(): void {
    this.#pollTask?.stop();
    this.#installTask?.stop();
    for (const delay of this.#delays) delay.cancel();
    this.#delays.clear();
  }

  #later(action: () => void): void {
    const { timers, random } = this.#system;
    const delay = timers.after(this.#settings.randomDelayMs * random.fraction(), () => {
      this.#delays.delete(delay);
      action();
    });
    this.#delays.add(delay);
  }
}
