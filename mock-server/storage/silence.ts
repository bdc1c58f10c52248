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

/** Targets that one search for absent devices looks at in a statement. */
const ABSENT_WINDOW = 1000;

/** Signs of life of devices in deployments that limit silence, and the devices that give none. */
export class SilenceRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** A sign of life of the device: noted where its silence counts. */
  async touch(deviceId: string, nowMs: number): Promise<void> {
    await TOUCH.all(this.#db, { deviceId, nowMs });
  }

  /**
   * Open ones of a deployment that limits silence whose devices have their instructions and were not heard of since
   * `cutoffMs`; at most `limit`, the longest silent first.
   * @param options.downloadingCutoffMs The same for devices that have not reported more than `downloading`.
   * @param options.paused Devices that wait for their next attempt are left out.
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
      // As the index has it, so that the others are not looked at.
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
   * Open ones whose devices never got their instructions, have no older deployment to finish, and finished none after
   * `cutoffMs`. One window of the targets is looked at, so that nothing waits for long.
   * @returns At most `limit`, in the order of their ids; and the id after which the next window begins, `undefined` at
   *   the end.
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

  /** Signs of life that seem to come later than `latestMs`, because the clock was set back, count from `nowMs`. */
  async capLastSeen(deploymentId: string, latestMs: number, nowMs: number): Promise<void> {
    await this.#touchAll(deploymentId, nowMs).where("last_seen_ms", ">", latestMs).execute();
  }

  /** Devices that waited for their next attempt while the deployment was paused were not silent. */
  async touchWaiting(deploymentId: string, nowMs: number): Promise<void> {
    await this.#touchAll(deploymentId, nowMs).where("request_json", "is", null).execute();
  }

  /** Note a sign of life of open rows whose silence counts. */
  #touchAll(deploymentId: string, nowMs: number) {
    return this.#db
      .updateTable("device_deployments")
      .set({ last_seen_ms: nowMs })
      .where("deployment_id", "=", deploymentId)
      .where("finished_ms", "is", null)
      .where("last_seen_ms", "is not", null);
  }
}
