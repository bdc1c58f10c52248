import type { ExpressionBuilder, Kysely, Selectable } from "kysely";
import { Prepared } from "./prepared.ts";
import type { AuthSetTable, AuthStatus, Flag, Schema } from "./schema.ts";

export type AuthSetRecord = Readonly<Selectable<AuthSetTable>>;

/** What a token says of the auth set that it was issued for. */
export interface TokenClaims {
  readonly id: string;
  readonly deviceId: string;
  readonly generation: number;
}

/** What is to be known of a token that is still good. */
export interface Standing {
  /** No deployment lists the device and is open, and none to a filter is open in which it has no part yet. */
  readonly idle: boolean;
}

const IDLE: Standing = { idle: true };
const BUSY: Standing = { idle: false };

function standingOf(maybeTargeted: Flag | undefined): Standing | undefined {
  if (maybeTargeted === undefined) return undefined;
  return maybeTargeted === 0 ? IDLE : BUSY;
}

/**
 * One value in one row, or none: it is asked for by every request of a device, so SQLite finds it in an index alone.
 * Whose the auth set is, the token tells: that never changes.
 */
const MAYBE_TARGETED = new Prepared<TokenClaims, { readonly maybe_targeted: Flag }>((db, value) =>
  db
    .selectFrom("auth_sets")
    .select((eb) =>
      eb
        .case()
        .when(eb.or([eb.exists(openTarget(eb, value("deviceId"))), eb.exists(openDynamic(eb, value("deviceId")))]))
        .then(eb.lit(1))
        .else(eb.lit(0))
        .end()
        .$castTo<Flag>()
        .as("maybe_targeted"),
    )
    .where("id", "=", value("id"))
    .where("token_generation", "=", value("generation"))
    .where("status", "=", "accepted"),
);

const OF_DEVICE = new Prepared<{ deviceId: string }, AuthSetRecord>((db, value) =>
  db.selectFrom("auth_sets").selectAll().where("device_id", "=", value("deviceId")).orderBy("created_ms").orderBy("id"),
);

const INSERT = new Prepared<AuthSetRecord, unknown>((db, value) =>
  db.insertInto("auth_sets").values({
    id: value("id"),
    device_id: value("device_id"),
    public_key: value("public_key"),
    public_key_sha256: value("public_key_sha256"),
    status: value("status"),
    token_generation: value("token_generation"),
    created_ms: value("created_ms"),
  }),
);

const SET_STATUS = new Prepared<{ id: string; status: AuthStatus }, unknown>((db, value) =>
  db
    .updateTable("auth_sets")
    .set((eb) => ({ status: value("status"), token_generation: eb("token_generation", "+", 1) }))
    .where("id", "=", value("id")),
);

type AuthSetExpressions = ExpressionBuilder<Schema, "auth_sets">;

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

/** The keys of devices. */
export class AuthSetRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  find(id: string): Promise<AuthSetRecord | undefined> {
    return this.#db.selectFrom("auth_sets").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** @returns `undefined`: the token was revoked, or its key is not accepted any more. */
  async standing(token: TokenClaims): Promise<Standing | undefined> {
    return standingOf((await MAYBE_TARGETED.first(this.#db, token))?.maybe_targeted);
  }

  /** As {@link standing}, at once. */
  standingNow(token: TokenClaims): Standing | undefined {
    return standingOf(MAYBE_TARGETED.cellNow<Flag>(this.#db, token));
  }

  /** In the order in which they came. */
  ofDevices(deviceIds: readonly string[]): Promise<AuthSetRecord[]> {
    const [deviceId, ...others] = deviceIds;
    if (deviceId === undefined) return Promise.resolve([]);
    if (others.length === 0) return OF_DEVICE.all(this.#db, { deviceId });
    return this.#db
      .selectFrom("auth_sets")
      .selectAll()
      .where("device_id", "in", deviceIds)
      .orderBy("created_ms")
      .orderBy("id")
      .execute();
  }

  async insert(authSet: AuthSetRecord): Promise<void> {
    await INSERT.all(this.#db, authSet);
  }

  /** Set its status and make every token that was issued for it worthless. */
  async setStatus(id: string, status: AuthStatus): Promise<void> {
    await SET_STATUS.all(this.#db, { id, status });
  }

  /** Make every token that was issued for it worthless. */
  async revokeTokens(id: string): Promise<void> {
    await this.#db
      .updateTable("auth_sets")
      .set((eb) => ({ token_generation: eb("token_generation", "+", 1) }))
      .where("id", "=", id)
      .execute();
  }

  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom("auth_sets").where("id", "=", id).execute();
  }
}
