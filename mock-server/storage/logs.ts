import type { LogMessage } from "@upkeep/shared/protocol";
import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

/** Deployment logs, one for each attempt. */
export class LogRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** @param attempt Default: the last attempt with a log. */
  async find(deploymentId: string, deviceId: string, attempt?: number): Promise<readonly LogMessage[] | undefined> {
    let query = this.#db
      .selectFrom("deployment_logs")
      .select("messages_json")
      .where("deployment_id", "=", deploymentId)
      .where("device_id", "=", deviceId);
    if (attempt !== undefined) query = query.where("attempt", "=", attempt);
    const row = await query.orderBy("attempt", "desc").limit(1).executeTakeFirst();
    return row === undefined ? undefined : (JSON.parse(row.messages_json) as LogMessage[]);
  }

  /** The attempts that have a log, in order. */
  async attempts(deploymentId: string, deviceId: string): Promise<number[]> {
    const rows = await this.#db
      .selectFrom("deployment_logs")
      .select("attempt")
      .where("deployment_id", "=", deploymentId)
      .where("device_id", "=", deviceId)
      .orderBy("attempt")
      .execute();
    return rows.map(({ attempt }) => attempt);
  }

  async findWhole(
    deploymentId: string,
    deviceId: string,
    attempt: number,
  ): Promise<{ readonly messages: readonly LogMessage[]; readonly savedMs: number } | undefined> {
    const row = await this.#db
      .selectFrom("deployment_logs")
      .select(["messages_json", "saved_ms"])
      .where("deployment_id", "=", deploymentId)
      .where("device_id", "=", deviceId)
      .where("attempt", "=", attempt)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return { messages: JSON.parse(row.messages_json) as LogMessage[], savedMs: row.saved_ms };
  }

  /** Saves the log of an attempt, in place of an earlier one. */
  async put(
    key: { readonly deploymentId: string; readonly deviceId: string; readonly attempt: number },
    messages: readonly LogMessage[],
    nowMs: number,
  ): Promise<void> {
    await this.#db
      .insertInto("deployment_logs")
      .values({
        deployment_id: key.deploymentId,
        device_id: key.deviceId,
        attempt: key.attempt,
        messages_json: JSON.stringify(messages),
        saved_ms: nowMs,
      })
      .onConflict((conflict) =>
        conflict.columns(["deployment_id", "device_id", "attempt"]).doUpdateSet((eb) => ({
          messages_json: eb.ref("excluded.messages_json"),
          saved_ms: eb.ref("excluded.saved_ms"),
        })),
      )
      .execute();
  }
}
