import type { Clock, Random } from "@upkeep/shared/system";
import { notFound, unprocessable } from "../errors.ts";
import type { Records, Storage, UserRecord } from "../storage/index.ts";
import { checkEmail, checkPassword } from "./checks.ts";
import type { PasswordChecks } from "./password-checks.ts";
import { hashPassword } from "./passwords.ts";
import type { UserPrincipal } from "./principal.ts";
import type { UserRole } from "./roles.ts";

/** A user as others see it. */
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
  /** Whoever changes the own password tells the old one. */
  readonly currentPassword?: string;
  readonly role?: UserRole;
}

/** Making, changing and removing users. There is always an admin. */
export class Accounts {
  readonly #storage: Storage;
  readonly #system: { readonly clock: Clock; readonly random: Random };
  readonly #passwords: PasswordChecks;

  constructor(storage: Storage, system: { readonly clock: Clock; readonly random: Random }, passwords: PasswordChecks) {
    this.#storage = storage;
    this.#system = system;
    this.#passwords = passwords;
  }

  /** In the order in which they were made. */
  list(): Promise<readonly Account[]> {
    return this.#storage.read(async ({ users }) => (await users.all()).map(present));
  }

  /** @throws ServerError (not-found) */
  get(id: string): Promise<Account> {
    return this.#storage.read(async (records) => present(await find(records, id)));
  }

  /**
   * @param user.role Default: admin.
   * @returns The id of the new user.
   * @throws ServerError (unprocessable) if the address is taken or malformed, or the password is too weak.
   */
  async create(user: { readonly email: string; readonly password: string; readonly role?: UserRole }): Promise<string> {
    const email = user.email.toLowerCase();
    checkEmail(email);
    checkPassword(user.password, email);
    const hash = await hashPassword(this.#system.random, user.password);
    return this.#storage.transaction(async (records) => {
      await mustBeFree(records, email);
      const now = this.#system.clock.now();
      const id = this.#system.random.uuid();
      const role = user.role ?? "admin";
      await records.users.insert({ id, email, role, password_hash: hash, created_ms: now, updated_ms: now });
      return id;
    });
  }

  /**
   * A password is changed by its owner only, who tells the old one; every other session of theirs ends.
   * @throws ServerError (not-found); (unprocessable)
   */
  async update(caller: UserPrincipal, id: string, change: AccountChange): Promise<void> {
    const email = change.email?.toLowerCase();
    if (email !== undefined) checkEmail(email);
    const user = await this.#storage.read((records) => find(records, id));
    const hash = change.password === undefined ? undefined : await this.#newPassword(caller, user, change);
    await this.#storage.transaction(async (records) => {
      const current = await find(records, id);
      if (email !== undefined && email !== current.email) await mustBeFree(records, email);
      if (change.role !== undefined && change.role !== "admin") await mustLeaveAdmin(records, current);
      await records.users.update(id, {
        ...(email === undefined ? {} : { email }),
        ...(change.role === undefined ? {} : { role: change.role }),
        ...(hash === undefined ? {} : { password_hash: hash }),
        updated_ms: this.#system.clock.now(),
      });
      if (hash !== undefined) await records.sessions.endLogins(id, caller.sessionId);
    });
  }

  async #newPassword(caller: UserPrincipal, user: UserRecord, change: AccountChange): Promise<string> {
    const { password = "", currentPassword, email = user.email } = change;
    checkPassword(password, email.toLowerCase());
    if (caller.userId !== user.id) throw unprocessable("password: only its owner can change it");
    if (currentPassword === undefined || !(await this.#passwords.check(currentPassword, user.password_hash))) {
      throw unprocessable("current_password: is wrong or missing");
    }
    return hashPassword(this.#system.random, password);
  }

  /** With all sessions and tokens. Of no user: nothing. @throws ServerError (unprocessable) for the last admin. */
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

async function find({ users }: Records, id: string): Promise<UserRecord> {
  const user = await users.find(id);
  if (user === undefined) throw notFound("user not found");
  return user;
}

async function mustBeFree({ users }: Records, email: string): Promise<void> {
  if ((await users.findByEmail(email)) !== undefined) throw unprocessable("user with a given email already exists");
}

async function mustLeaveAdmin({ users }: Records, { id, role }: UserRecord): Promise<void> {
  if (role !== "admin") return;
  const admins = (await users.all()).filter((user) => user.role === "admin");
  if (admins.every((admin) => admin.id === id)) throw unprocessable("the last admin cannot go");
}

function present({ id, email, role, created_ms, updated_ms }: UserRecord): Account {
  return { id, email, role, createdMs: created_ms, updatedMs: updated_ms };
}
