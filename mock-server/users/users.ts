import type { Clock, Random } from "@upkeep/shared/system";
import * as z from "zod";
import { invalid, unauthorized } from "../errors.ts";
import type { Storage } from "../storage/index.ts";
import { TokenKey } from "../tokens.ts";
import { AccessTokens } from "./access-tokens.ts";
import { Accounts } from "./accounts.ts";
import { emailFault, passwordFault } from "./checks.ts";
import { Settings } from "./kept-settings.ts";
import { KnownClients } from "./known-clients.ts";
import { makePassword } from "./password-hash.ts";
import { Passwords } from "./passwords.ts";
import type { UserPrincipal } from "./principal.ts";

const ISSUER = "mender.useradm";
/** The maximum number of sessions of a user; a further login ends the oldest one. */
const SESSIONS_MAX = 10;
/** The last use of a personal access token is recorded to the minute, to save writes. */
const USE_NOTED_MS = 60_000;

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

/** A new administrator. The password is shown here and nowhere else. */
export interface NewAdministrator {
  readonly email: string;
  readonly password: string;
}

/** Users of the management API: login, sessions and tokens. */
export class Users {
  readonly #storage: Storage;
  readonly #system: { readonly clock: Clock; readonly random: Random };
  /** The lifetime of a session that a login begins, in milliseconds. */
  readonly sessionLifeMs: number;
  readonly #tokens: TokenKey<UserClaims>;
  readonly #passwords: Passwords;
  /** Creates, changes and deletes users. */
  readonly accounts: Accounts;
  /** Personal access tokens. */
  readonly tokens: AccessTokens;
  readonly settings: Settings;
  /** Clients that have logged in before. */
  readonly knownClients: KnownClients;

  constructor(
    storage: Storage,
    system: { readonly clock: Clock; readonly random: Random },
    tokenSeed: Uint8Array,
    settings: { readonly tokenLifeMs: number; readonly passwordWork: number },
  ) {
    this.#storage = storage;
    this.#system = system;
    this.sessionLifeMs = settings.tokenLifeMs;
    this.#passwords = new Passwords(system.random, settings.passwordWork);
    this.accounts = new Accounts(storage, system, this.#passwords);
    this.tokens = new AccessTokens(storage, system, (id, userId, expiresMs) => this.#issue(id, userId, expiresMs));
    this.settings = new Settings(storage);
    this.knownClients = new KnownClients(system, tokenSeed);
    this.#tokens = new TokenKey(tokenSeed, { kid: "upkeep-users" }, (payload) => UserClaims.safeParse(payload).data);
  }

  /**
   * Creates the first user if there is none.
   * @param password Default: a generated one.
   * @returns `undefined` if there are users.
   * @throws DomainError (invalid) if the address or the password is unusable.
   */
  async ensureAdministrator(email: string, password?: string): Promise<NewAdministrator | undefined> {
    if ((await this.#storage.read(({ users }) => users.count())) > 0) return undefined;
    const address = email.toLowerCase();
    const secret = password ?? makePassword(this.#system.random);
    const fault = emailFault(address) ?? passwordFault(secret);
    if (fault !== undefined) throw invalid(fault);
    const hash = await this.#passwords.hash(secret);
    return this.#storage.transaction(async ({ users }) => {
      if ((await users.count()) > 0) return undefined;
      const now = this.#system.clock.now();
      const id = this.#system.random.uuid();
      await users.insert({ id, email: address, role: "admin", password_hash: hash, created_ms: now, updated_ms: now });
      return { email: address, password: secret };
    });
  }

  /**
   * @param options.noExpiry The session lasts until logout.
   * @returns A token.
   * @throws DomainError (unauthorized)
   */
  async login(email: string, password: string, options: { readonly noExpiry?: boolean } = {}): Promise<string> {
    const user = await this.#storage.read(({ users }) => users.findByEmail(email.toLowerCase()));
    const right = await this.#passwords.check(password, user?.password_hash);
    if (user === undefined || !right) throw unauthorized();
    const now = this.#system.clock.now();
    const id = this.#system.random.uuid();
    const expiresMs = options.noExpiry ? null : now + this.sessionLifeMs;
    await this.#storage.transaction(async ({ sessions }) => {
      await sessions.trim(user.id, SESSIONS_MAX - 1, now);
      await sessions.insert({
        id,
        user_id: user.id,
        created_ms: now,
        expires_ms: expiresMs,
        token_name: null,
        last_used_ms: null,
      });
    });
    return this.#issue(id, user.id, expiresMs);
  }

  /** A secret text that changes with the password of an account; empty for an unknown account. */
  async passwordVersion(email: string): Promise<string> {
    const user = await this.#storage.read(({ users }) => users.findByEmail(email.toLowerCase()));
    return user?.password_hash ?? "";
  }

  #issue(sessionId: string, userId: string, expiresMs: number | null): string {
    const now = this.#system.clock.now();
    return this.#tokens.issue({
      jti: sessionId,
      sub: userId,
      iss: ISSUER,
      ...(expiresMs === null ? {} : { exp: Math.floor(expiresMs / 1000) }),
      iat: Math.floor(now / 1000),
      nbf: Math.floor(now / 1000),
      scp: "mender.*",
      "mender.user": true,
    });
  }

  /**
   * The user of a token that has not expired and whose session has not ended.
   * @throws DomainError (unauthorized)
   */
  async verify(token: string): Promise<UserPrincipal> {
    const claims = this.#tokens.read(token);
    if (claims === undefined || (claims.exp !== undefined && this.#system.clock.now() >= claims.exp * 1000)) {
      throw unauthorized();
    }
    const session = await this.#storage.read(({ sessions }) => sessions.find(claims.jti, claims.sub));
    if (session === undefined) throw unauthorized();
    const { id, email, role, token_name, last_used_ms } = session;
    const now = this.#system.clock.now();
    if (token_name !== null && now - (last_used_ms ?? 0) >= USE_NOTED_MS) {
      await this.#storage.transaction(({ sessions }) => sessions.use(claims.jti, now));
    }
    return { userId: id, email, role, sessionId: claims.jti };
  }

  /**
   * True while an earlier authentication still holds: the session has neither ended nor expired, and the user has the
   * same role.
   */
  async isCurrent({ sessionId, userId, role }: UserPrincipal): Promise<boolean> {
    const session = await this.#storage.read(({ sessions }) => sessions.find(sessionId, userId));
    if (session === undefined || session.role !== role) return false;
    return session.expires_ms === null || this.#system.clock.now() < session.expires_ms;
  }

  /** Ends a session, which revokes its token. */
  logout({ sessionId }: UserPrincipal): Promise<void> {
    return this.#storage.transaction(({ sessions }) => sessions.delete(sessionId));
  }
}
