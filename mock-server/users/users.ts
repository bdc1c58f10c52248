import type { Clock, Random } from "@upkeep/shared/system";
import * as z from "zod";
import { invalid, unauthorized } from "../errors.ts";
import type { Storage } from "../storage/index.ts";
import { TokenKey } from "../tokens.ts";
import { hashOfNobody, hashPassword, isPassword, makePassword } from "./passwords.ts";

const ISSUER = "mender.useradm";
/** At most so many sessions a user has at once; the oldest gives way. */
const SESSIONS_MAX = 10;
const TEXT_MAX = 256;

const UserClaims = z.object({
  jti: z.string(),
  sub: z.string(),
  iss: z.literal(ISSUER),
  /** Seconds since the Unix epoch, as the other times of a token; absent: never. */
  exp: z.optional(z.number()),
  iat: z.number(),
  nbf: z.number(),
  scp: z.literal("mender.*"),
  "mender.user": z.literal(true),
});
type UserClaims = z.infer<typeof UserClaims>;

/** Who sent a request to the management API. */
export interface UserPrincipal {
  readonly userId: string;
  readonly email: string;
  readonly sessionId: string;
}

/** An administrator who was just made. The password is told here and nowhere else. */
export interface NewAdministrator {
  readonly email: string;
  readonly password: string;
}

/** People who manage devices. */
export class Users {
  readonly #storage: Storage;
  readonly #system: { readonly clock: Clock; readonly random: Random };
  readonly #tokenLifeMs: number;
  readonly #tokens: TokenKey<UserClaims>;
  /** The password that is being checked: one at a time, for each takes its fill of memory and a thread. */
  #checking: Promise<unknown> = Promise.resolve();
  /** For an unknown address, which must cost the same time as a wrong password. */
  readonly #nobody: string;

  constructor(
    storage: Storage,
    system: { readonly clock: Clock; readonly random: Random },
    tokenSeed: Uint8Array,
    tokenLifeMs: number,
  ) {
    this.#storage = storage;
    this.#system = system;
    this.#tokenLifeMs = tokenLifeMs;
    this.#nobody = hashOfNobody(system.random);
    this.#tokens = new TokenKey(tokenSeed, { kid: "upkeep-users" }, (payload) => UserClaims.safeParse(payload).data);
  }

  /**
   * Make the first user if there is none.
   * @param password Generated when absent.
   * @returns `undefined` if there are users already.
   * @throws ServerError (invalid) if the address or the password is unusable.
   */
  async ensureAdministrator(email: string, password?: string): Promise<NewAdministrator | undefined> {
    if ((await this.#storage.read(({ users }) => users.count())) > 0) return undefined;
    const address = email.toLowerCase();
    if (!/^[!-~]+@[!-~]+$/.test(address) || address.length > TEXT_MAX) {
      throw invalid(`email: must be an e-mail address of at most ${TEXT_MAX} ASCII characters, not "${email}"`);
    }
    const secret = password ?? makePassword(this.#system.random);
    if (secret.length < 8 || secret.length > TEXT_MAX) throw invalid(`password: must have 8 to ${TEXT_MAX} characters`);
    const hash = await hashPassword(this.#system.random, secret);
    return this.#storage.transaction(async ({ users }) => {
      if ((await users.count()) > 0) return undefined;
      const now = this.#system.clock.now();
      const id = this.#system.random.uuid();
      await users.insert({ id, email: address, password_hash: hash, created_ms: now, updated_ms: now });
      return { email: address, password: secret };
    });
  }

  /**
   * @param options.noExpiry The session lasts until it is ended.
   * @returns A token.
   * @throws ServerError (unauthorized)
   */
  async login(email: string, password: string, options: { readonly noExpiry?: boolean } = {}): Promise<string> {
    const user = await this.#storage.read(({ users }) => users.findByEmail(email.toLowerCase()));
    const right = await this.#check(password, user?.password_hash);
    if (user === undefined || !right) throw unauthorized();
    const now = this.#system.clock.now();
    const id = this.#system.random.uuid();
    const expiresMs = options.noExpiry ? null : now + this.#tokenLifeMs;
    await this.#storage.transaction(async ({ sessions }) => {
      await sessions.trim(user.id, SESSIONS_MAX - 1, now);
      await sessions.insert({ id, user_id: user.id, created_ms: now, expires_ms: expiresMs });
    });
    return this.#tokens.issue({
      jti: id,
      sub: user.id,
      iss: ISSUER,
      ...(expiresMs === null ? {} : { exp: Math.floor(expiresMs / 1000) }),
      iat: Math.floor(now / 1000),
      nbf: Math.floor(now / 1000),
      scp: "mender.*",
      "mender.user": true,
    });
  }

  #check(password: string, hash: string | undefined): Promise<boolean> {
    const check = () => isPassword(password.length <= TEXT_MAX ? password : "", hash ?? this.#nobody);
    const result = this.#checking.then(check, check);
    this.#checking = result;
    return result;
  }

  /**
   * Who a token belongs to, now: it is neither expired nor was the session ended.
   * @throws ServerError (unauthorized)
   */
  async verify(token: string): Promise<UserPrincipal> {
    const claims = this.#tokens.read(token);
    if (claims === undefined || (claims.exp !== undefined && this.#system.clock.now() >= claims.exp * 1000)) {
      throw unauthorized();
    }
    const user = await this.#storage.read(({ sessions }) => sessions.find(claims.jti, claims.sub));
    if (user === undefined) throw unauthorized();
    return { userId: user.id, email: user.email, sessionId: claims.jti };
  }

  /** End a session: its token is worthless from now on. */
  logout({ sessionId }: UserPrincipal): Promise<void> {
    return this.#storage.transaction(({ sessions }) => sessions.delete(sessionId));
  }
}
