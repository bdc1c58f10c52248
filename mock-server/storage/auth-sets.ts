import type { Kysely, Selectable } from "kysely";
import { hasOpenWork } from "./open-work.ts";
import { Prepared } from "./prepared.ts";
import type { AuthSetTable, AuthStatus, DeviceTier, Flag, Schema } from "./schema.ts";

export type AuthSetRecord = Readonly<Selectable<AuthSetTable>>;

/** The claims of a token that name its auth set. */
export interface TokenClaims {
  readonly id: string;
  readonly deviceId: string;
  readonly generation: number;
}

/** The status of a valid token. */
export interface TokenStatus {
  /** False: no open deployment lists the device, and it takes part in every open deployment to a filter already. */
  readonly mayHaveWork: boolean;
}

const MAY_HAVE_WORK: TokenStatus = { mayHaveWork: true };
const HAS_NO_WORK: TokenStatus = { mayHaveWork: false };

function tokenStatusOf(mayHaveWork: Flag | undefined): TokenStatus | undefined {
  if (mayHaveWork === undefined) return undefined;
  return mayHaveWork === 0 ? HAS_NO_WORK : MAY_HAVE_WORK;
}

/**
 * One value in one row, or no row: every request of a device runs this statement, so SQLite answers it from indices
 * alone. The device is taken from the token, because an auth set never changes its device.
 */
const TOKEN_STATUS = new Prepared<TokenClaims, { readonly may_have_work: Flag }>((db, value) =>
  db
    .selectFrom("auth_sets")
    .select((eb) =>
      eb
        .case()
        .when(hasOpenWork(eb, value("deviceId")))
        .then(eb.lit(1))
        .else(eb.lit(0))
        .end()
        .$castTo<Flag>()
        .as("may_have_work"),
    )
    .where("id", "=", value("id"))
    .where("token_generation", "=", value("generation"))
    .where("status", "=", "accepted"),
);

const OF_DEVICE = new Prepared<{ deviceId: string }, AuthSetRecord>((db, value) =>
  db.selectFrom("auth_sets").selectAll().where("device_id", "=", value("deviceId")).orderBy("created_ms").orderBy("id"),
);

const ACCEPTED = new Prepared<{ identitySha256: string; publicKey: string; tier: DeviceTier }, AuthSetRecord>(
  (db, value) =>
    db
      .selectFrom("auth_sets")
      .innerJoin("devices", "devices.id", "auth_sets.device_id")
      .selectAll("auth_sets")
      .where("devices.identity_sha256", "=", value("identitySha256"))
      .where("auth_sets.public_key", "=", value("publicKey"))
      .where("auth_sets.tier", "=", value("tier"))
      .where("auth_sets.status", "=", "accepted"),
);

const INSERT = new Prepared<AuthSetRecord, unknown>((db, value) =>
  db.insertInto("auth_sets").values({
    id: value("id"),
    device_id: value("device_id"),
    public_key: value("public_key"),
    tier: value("tier"),
    key_and_tier_sha256: value("key_and_tier_sha256"),
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

/** The keys of devices. */
export class AuthSetRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  find(id: string): Promise<AuthSetRecord | undefined> {
    return this.#db.selectFrom("auth_sets").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** The accepted auth set of the device with this identity that has these credentials. */
  accepted(asked: { identitySha256: string; publicKey: string; tier: DeviceTier }): Promise<AuthSetRecord | undefined> {
    return ACCEPTED.first(this.#db, asked);
  }

  /** @returns `undefined` if the token was revoked or its key is no longer accepted. */
  async tokenStatus(token: TokenClaims): Promise<TokenStatus | undefined> {
    return tokenStatusOf((await TOKEN_STATUS.first(this.#db, token))?.may_have_work);
  }

  /** Synchronous {@link tokenStatus}. */
  tokenStatusSync(token: TokenClaims): TokenStatus | undefined {
    return tokenStatusOf(TOKEN_STATUS.firstValueSync<Flag>(this.#db, token));
  }

  /** By time of creation. */
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

  /** Sets the status and revokes all tokens of the auth set. */
  async setStatus(id: string, status: AuthStatus): Promise<void> {
    await SET_STATUS.all(this.#db, { id, status });
  }

  /** Revokes all tokens of the auth set. */
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
