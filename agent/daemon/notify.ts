import type { Logger } from "@upkeep/shared/logging";
import { isSystemError, type System, type Timer } from "@upkeep/shared/system";

export type NotifySystem = Pick<System, "processes" | "timers">;
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Tells systemd how the daemon is. Through the program `systemd-notify`, as Node has no datagram sockets of
 * that family; the unit must say NotifyAccess=all. Does nothing where systemd does not listen.
 */
export class Notifier {
  readonly #system: NotifySystem;
  readonly #log: Logger;
  readonly #listening: boolean;
  readonly #watchdogMs: number | undefined;
  #status = "";
  #timer: Timer | undefined;

  constructor(system: NotifySystem, environment: Environment, log: Logger) {
    this.#system = system;
    this.#log = log;
    this.#listening = Boolean(environment.NOTIFY_SOCKET);
    const limitUs = Number(environment.WATCHDOG_USEC);
    this.#watchdogMs = this.#listening && limitUs > 0 ? limitUs / 1000 : undefined;
  }

  ready(): Promise<void> {
    return this.#tell("READY=1");
  }

  stopping(): Promise<void> {
    this.#timer?.cancel();
    return this.#tell("STOPPING=1");
  }

  /** One line for a person who asks systemd. Told only when it has changed. */
  async status(line: string): Promise<void> {
    if (line === this.#status) return;
    this.#status = line;
    await this.#tell(`STATUS=${line}`);
  }

  /** From now on tell the watchdog, twice in its interval, that all is well; unless `healthy` says it is not. */
  watch(healthy: () => boolean): void {
    const limitMs = this.#watchdogMs;
    if (limitMs === undefined) return;
    this.#timer = this.#system.timers.after(limitMs / 2, () => {
      if (healthy()) void this.#tell("WATCHDOG=1");
      else this.#log.error("the scheduler is overdue: leaving it to systemd's watchdog");
      this.watch(healthy);
    });
  }

  async #tell(variable: string): Promise<void> {
    if (!this.#listening) return;
    try {
      const running = await this.#system.processes.start({ command: "systemd-notify", args: [variable] });
      const exit = await running.exit;
      if (!("code" in exit) || exit.code !== 0) this.#log.warning(`systemd-notify ${variable} failed`);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#log.warning(`systemd cannot be told ${variable}: ${error.message}`);
    }
  }
}
