import type { Expression, ExpressionBuilder, SqlBool } from "kysely";
import type { Schema } from "./schema.ts";

type AuthSetExpressions = ExpressionBuilder<Schema, "auth_sets">;

/**
 * True if an open deployment lists the device, or a deployment to a filter is open in which the device takes no part
 * yet. Filters are not evaluated here: a device for which this is true may still get nothing.
 */
export function hasOpenWork(eb: AuthSetExpressions, deviceId: string): Expression<SqlBool> {
  return eb.or([eb.exists(openTarget(eb, deviceId)), eb.exists(openDynamic(eb, deviceId))]);
}

function openTarget(eb: AuthSetExpressions, deviceId: string) {
  return eb
    .selectFrom("device_deployments as open")
    .select("open.device_id")
    .where("open.device_id", "=", deviceId)
    .where("open.finished_ms", "is", null);
}

function openDynamic(eb: AuthSetExpressions, deviceId: string) {
  return eb
    .selectFrom("deployments")
    .select("deployments.id")
    .where("deployments.dynamic", "=", eb.lit(1))
    .where("deployments.status", "=", eb.val("pending"))
    .where((one) =>
      one.not(
        one.exists(
          one
            .selectFrom("device_deployments as part")
            .select("part.device_id")
            .whereRef("part.deployment_id", "=", "deployments.id")
            .where("part.device_id", "=", deviceId),
        ),
      ),
    );
}
