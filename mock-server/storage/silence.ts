import type { Kysely } from "kysely";
import type { DeviceDeploymentRecord } from "./device-deployments.ts";
import { Prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";

const TOUCH = new Prepared<{ deviceId: string; nowMs: number }, unknown>((db, value) =>
  db
    .updateTable("device_deployments")
    .set({ last_seen_ms: value("nowMs") })
    .where("device_id", "=", value("deviceId"))
    .where("finished_ms", "is", null)
    .where("last_seen_ms", "is not", null),
);

/** Targets per statement of the search for absent devices. */
const ABSENT_WINDOW = 1000;

/** Signs of life of devices in deployments that limit silence, and silent and absent devices. */
export class SilenceRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** Records a sign of life in all device deployments whose silence counts. */
  async touch(deviceId: string, nowMs: number): Promise<void> {
    await TOUCH.all(this.#db, { deviceId, nowMs });
  }

  /**
   * Open device deployments with instructions and no sign of life since `cutoffMs`; at most `limit`, the longest silent
   * first.
   * @param options.downloadingCutoffMs The cutoff for devices that have reported at most `downloading`.
   * @param options.paused Leave out devices that wait for their next attempt.
   */
  silentSince(
    deploymentId: string,
    cutoffMs: number,
    limit: number,
    options: { readonly downloadingCutoffMs?: number; readonly paused?: boolean } = {},
  ): Promise<DeviceDeploymentRecord[]> {
    const { downloadingCutoffMs = cutoffMs, paused = false } = options;
    let query = this.#db
      .selectFrom("device_deployments")
      .selectAll()
      .where("deployment_id", "=", deploymentId)
      .where("finished_ms", "is", null)
      // Matches the condition of the partial index.
      .where("last_seen_ms", "is not", null)
      .where("last_seen_ms", "<=", cutoffMs);
    if (paused) query = query.where("request_json", "is not", null);
    if (downloadingCutoffMs < cutoffMs) {
      query = query.where((eb) =>
        eb.or([eb("last_seen_ms", "<=", downloadingCutoffMs), eb("status", "not in", ["pending", "downloading"])]),
      );
    }
    return query.orderBy("last_seen_ms").orderBy("device_id").limit(limit).execute();
  }

  /**
   * Open device deployments whose devices never got instructions, have no older deployment to finish, and finished none
   * after `cutoffMs`. One call reads a window of the targets, which bounds its duration.
   * @returns At most `limit`, by device; and the device after which the next window begins, `undefined` at the end.
   */
  async absentAfter(
    deploymentId: string,
    after: string,
    cutoffMs: number,
    limit: number,
  ): Promise<{ readonly rows: DeviceDeploymentRecord[]; readonly last: string | undefined }> {
    const end = await this.#db
      .selectFrom("device_deployments")
      .select("device_id")
      .where("deployment_id", "=", deploymentId)
      .where("device_id", ">", after)
      .orderBy("device_id")
      .offset(ABSENT_WINDOW - 1)
      .limit(1)
      .executeTakeFirst();
    let query = this.#db
      .selectFrom("device_deployments as absent")
      .selectAll("absent")
      .where("absent.deployment_id", "=", deploymentId)
      .where("absent.device_id", ">", after)
      .where("absent.finished_ms", "is", null)
      .where("absent.request_json", "is", null)
      .where("absent.last_seen_ms", "is", null)
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom("device_deployments as older")
              .select("older.device_id")
              .whereRef("older.device_id", "=", "absent.device_id")
              .whereRef("older.sequence", "<", "absent.sequence")
              .where("older.finished_ms", "is", null),
          ),
        ),
      )
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom("device_deployments as ended")
              .select("ended.device_id")
              .whereRef("ended.device_id", "=", "absent.device_id")
              .where("ended.finished_ms", ">", cutoffMs),
          ),
        ),
      );
    if (end !== undefined) query = query.where("absent.device_id", "<=", end.device_id);
    const rows = await query.orderBy("absent.device_id").limit(limit).execute();
    return { rows, last: rows.length === limit ? rows.at(-1)?.device_id : end?.device_id };
  }

  /** Sets signs of life later than `latestMs`, from before the clock was set back, to `nowMs`. */
  async capLastSeen(deploymentId: string, latestMs: number, nowMs: number): Promise<void> {
    await this.#touchAll(deploymentId, nowMs).where("last_seen_ms", ">", latestMs).execute();
  }

  /** Records a sign of life of devices that wait for their next attempt: a pause does not count as silence. */
  async touchWaiting(deploymentId: string, nowMs: number): Promise<void> {
    await this.#touchAll(deploymentId, nowMs).where("request_json", "is", null).execute();
  }

  /** Updates open rows whose silence counts. */
  #touchAll(deploymentId: string, nowMs: number) {
    return this.#db
      .updateTable("device_deployments")
      .set({ last_seen_ms: nowMs })
      .where("deployment_id", "=", deploymentId)
      .where("finished_ms", "is", null)
      .where("last_seen_ms", "is not", null);
  }
}
