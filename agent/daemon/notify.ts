import type { Logger } from "@upkeep/shared/logging";
import type { System, Timer } from "@upkeep/shared/system";
import { describeEnd, startProgram } from "../programs/program.ts";
import { unfailing } from "./unfailing-log.ts";

export type NotifySystem = Pick<System, "processes" | "timers">;
export type Environment = Readonly<Record<string, string | undefined>>;

/** Far longer than systemd-notify takes to write one datagram. */
const LIMIT_MS = 10_000;
const KILL_GRACE_MS = 1000;

/**
 * Tells systemd the daemon's state, through the program `systemd-notify`: Node has no UNIX datagram sockets. The unit
 * must say NotifyAccess=all. Without NOTIFY_SOCKET it does nothing. No call rejects, and none takes longer than a few
 * seconds, so a failure here does not disturb the daemon.
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

  /** Feeds the watchdog no longer. */
  forget(): void {
    this.#timer?.cancel();
  }

  stopping(): Promise<void> {
    return this.#tell("STOPPING=1");
  }

  /** Sets the line that `systemctl status` shows, if it has changed. */
  async status(line: string): Promise<void> {
    if (line === this.#status) return;
    this.#status = line;
    await this.#tell(`STATUS=${line}`);
  }

  /** Feeds systemd's watchdog twice in its interval, as long as `healthy` returns true. */
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
        // Without its watchdog fed, systemd restarts the daemon.
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
