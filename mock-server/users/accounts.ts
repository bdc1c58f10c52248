import { given } from "@upkeep/shared/given";
import type { Clock, Random } from "@upkeep/shared/system";
import { DomainError } from "../errors.ts";
import type { Records, Storage, UserRecord } from "../storage/index.ts";
import { checkEmail, checkPassword } from "./checks.ts";
import type { Passwords } from "./passwords.ts";
import type { UserPrincipal } from "./principal.ts";
import { DEFAULT_ROLE, type UserRole } from "./roles.ts";

/** A user as the management API shows it. */
export interface Account {
  readonly id: string;
  readonly email: string;
  readonly role: UserRole;
  readonly createdMs: number;
  readonly updatedMs: number;
}

export interface AccountChange {
  readonly email?: string;
  readonly password?: string;
  /** The old password, required from users who change their own. */
  readonly currentPassword?: string;
  readonly role?: UserRole;
  /** Revoke all personal access tokens of the user. */
  readonly revokeTokens?: boolean;
}

/** Restricts accounts; all conditions must hold. */
export interface AccountFilter {
  readonly ids?: readonly string[];
  /** In any case. */
  readonly emails?: readonly string[];
  /** Later than this, in milliseconds, as the others. */
  readonly createdAfterMs?: number;
  readonly createdBeforeMs?: number;
  readonly updatedAfterMs?: number;
  readonly updatedBeforeMs?: number;
}

/** Creates, changes and deletes users. There is always an admin. */
export class Accounts {
  readonly #storage: Storage;
  readonly #system: { readonly clock: Clock; readonly random: Random };
  readonly #passwords: Passwords;

  constructor(storage: Storage, system: { readonly clock: Clock; readonly random: Random }, passwords: Passwords) {
    this.#storage = storage;
    this.#system = system;
    this.#passwords = passwords;
  }

  /** By time of creation. */
  list(filter: AccountFilter = {}): Promise<readonly Account[]> {
    return this.#storage.read(async ({ users }) => {
      const accounts = (await users.all()).map(present);
      return accounts.filter((account) => isMeant(account, filter));
    });
  }

  /** @throws DomainError (not-found) */
  get(id: string): Promise<Account> {
    return this.#storage.read(async (records) => present(await find(records, id)));
  }

  /**
   * @param user.role Default: read-only; of the first user: admin.
   * @returns The id of the new user.
   * @throws DomainError (email-taken); (unprocessable) if the address is malformed or the password too weak.
   */
  async create(user: { readonly email: string; readonly password: string; readonly role?: UserRole }): Promise<string> {
    const email = user.email.toLowerCase();
    checkEmail(email);
    checkPassword(user.password, email);
    const hash = await this.#passwords.hash(user.password);
    return this.#storage.transaction(async (records) => {
      await mustBeFree(records, email);
      const now = this.#system.clock.now();
      const id = this.#system.random.uuid();
      const role = user.role ?? ((await records.users.count()) === 0 ? "admin" : DEFAULT_ROLE);
      await records.users.insert({ id, email, role, password_hash: hash, created_ms: now, updated_ms: now });
      return id;
    });
  }

  /**
   * Changes a user. A new password, set by its owner with the old one or by an administrator, ends all other logins
   * of the user. Personal access tokens stay valid unless they are revoked too.
   * @returns The number of valid personal access tokens of the user.
   * @throws DomainError (not-found); (unprocessable)
   */
  async update(caller: UserPrincipal, id: string, change: AccountChange): Promise<number> {
    const email = change.email?.toLowerCase();
    if (email !== undefined) checkEmail(email);
    const user = await this.#storage.read((records) => find(records, id));
    const hash = change.password === undefined ? undefined : await this.#newPassword(caller, user, change);
    return this.#storage.transaction(async (records) => {
      const now = this.#system.clock.now();
      const current = await find(records, id);
      if (email !== undefined && email !== current.email) await mustBeFree(records, email);
      if (change.role !== undefined && change.role !== "admin") await mustLeaveAdmin(records, current);
      await records.users.update(id, {
        ...given({ email, role: change.role, password_hash: hash }),
        updated_ms: now,
      });
      if (change.revokeTokens === true) await records.sessions.endTokens(id);
      if (hash !== undefined) await records.sessions.endLogins(id, caller.sessionId);
      const tokens = await records.sessions.tokensOf(id);
      return tokens.filter(({ expires_ms }) => expires_ms === null || expires_ms > now).length;
    });
  }

  async #newPassword(caller: UserPrincipal, user: UserRecord, change: AccountChange): Promise<string> {
    const { password = "", currentPassword, email = user.email } = change;
    checkPassword(password, email.toLowerCase());
    if (caller.userId === user.id) {
      const right = currentPassword !== undefined && (await this.#passwords.check(currentPassword, user.password_hash));
      if (!right) throw new DomainError("wrong-password");
    }
    return this.#passwords.hash(password);
  }

  /**
   * Sets a password without the old one, and ends all sessions and tokens of the user. For the command line, whose
   * caller has access to the records.
   * @throws DomainError (not-found); (unprocessable)
   */
  async resetPassword(id: string, password: string): Promise<void> {
    const { email } = await this.#storage.read((records) => find(records, id));
    checkPassword(password, email);
    const hash = await this.#passwords.hash(password);
    await this.#storage.transaction(async (records) => {
      await find(records, id);
      await records.users.update(id, { password_hash: hash, updated_ms: this.#system.clock.now() });
      await records.sessions.endAll(id);
    });
  }

  /** Deletes a user with all sessions and tokens; an unknown id is ignored. @throws DomainError (last-admin) */
  async delete(id: string): Promise<void> {
    await this.#storage.transaction(async (records) => {
      const user = await records.users.find(id);
      if (user === undefined) return;
      await mustLeaveAdmin(records, user);
      await records.users.delete(id);
      await records.settings.delete(id);
    });
  }
}

function isMeant(account: Account, filter: AccountFilter): boolean {
  const { ids, emails, createdAfterMs, createdBeforeMs, updatedAfterMs, updatedBeforeMs } = filter;
  const between = (ms: number, after = Number.NEGATIVE_INFINITY, before = Number.POSITIVE_INFINITY): boolean =>
    ms > after && ms < before;
  return (
    (ids === undefined || ids.includes(account.id)) &&
    (emails === undefined || emails.some((email) => email.toLowerCase() === account.email)) &&
    between(account.createdMs, createdAfterMs, createdBeforeMs) &&
    between(account.updatedMs, updatedAfterMs, updatedBeforeMs)
  );
}

async function find({ users }: Records, id: string): Promise<UserRecord> {
  const user = await users.find(id);
  if (user === undefined) throw new DomainError("user-not-found");
  return user;
}

async function mustBeFree({ users }: Records, email: string): Promise<void> {
  if ((await users.findByEmail(email)) !== undefined) throw new DomainError("email-taken");
}

async function mustLeaveAdmin({ users }: Records, { id, role }: UserRecord): Promise<void> {
  if (role !== "admin") return;
  const admins = (await users.all()).filter((user) => user.role === "admin");
  if (admins.every((admin) => admin.id === id)) throw new DomainError("last-admin");
}

function present({ id, email, role, created_ms, updated_ms }: UserRecord): Account {
  return { id, email, role, createdMs: created_ms, updatedMs: updated_ms };
}
