import type { Logger } from "@upkeep/shared/logging";
import type { System, Timer } from "@upkeep/shared/system";
import { describeEnd, startProgram } from "../programs/program.ts";
import { unfailing } from "./unfailing-log.ts";

export type NotifySystem = Pick<System, "processes" | "timers">;
export type Environment = Readonly<Record<string, string | undefined>>;

/** systemd-notify writes one datagram; when that takes so long, something is wrong with the machine. */
const LIMIT_MS = 10_000;
const KILL_GRACE_MS = 1000;

/**
 * Tells systemd how the daemon is. Through the program `systemd-notify`, as Node has no datagram sockets of
 * that family; the unit must say NotifyAccess=all. Does nothing where systemd does not listen. Nothing that
 * goes wrong here is of consequence for the daemon: no call rejects, and none takes longer than a few seconds.
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
    this.#log = unfailing(log);
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
    const beat = (): void => {
      try {
        if (healthy()) void this.#tell("WATCHDOG=1");
        else this.#log.warning("the scheduler is overdue: leaving it to systemd's watchdog");
      } catch (error) {
        this.#log.warning(`it cannot be told how the daemon is: ${String(error)}`);
      }
      arm();
    };
    const arm = (): void => {
      try {
        this.#timer = this.#system.timers.after(limitMs / 2, beat);
      } catch (error) {
        // Not told any more, systemd starts the daemon afresh.
        this.#log.warning(`the watchdog cannot be told any more: ${String(error)}`);
      }
    };
    arm();
  }

  async #tell(variable: string): Promise<void> {
    if (!this.#listening) return;
    try {
      const { ended } = await startProgram(this.#system, {
        command: "systemd-notify",
        args: [variable],
        timeoutMs: LIMIT_MS,
        killGraceMs: KILL_GRACE_MS,
        onLine: (line) => this.#log.warning(`systemd-notify: ${line}`),
      });
      const end = await ended;
      if (end.kind === "exited" && end.code === 0) return;
      this.#log.warning(`systemd-notify ${variable} ${describeEnd(end, LIMIT_MS)}`);
    } catch (error) {
      this.#log.warning(
        `systemd cannot be told ${variable}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
