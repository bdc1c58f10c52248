import type { Clock, Random } from "@upkeep/shared/system";
import { DomainError, invalid } from "../errors.ts";
import type { Storage } from "../storage/index.ts";

/** A personal access token. The token itself is shown once, when it is created. */
export interface AccessToken {
  readonly id: string;
  readonly name: string;
  readonly createdMs: number;
  /** Absent: never. */
  readonly expiresMs?: number;
  /** To the minute. */
  readonly lastUsedMs?: number;
}

const TOKENS_MAX = 10;
const NAME_MAX = 4096;
/** A year. */
const LIFE_MAX_S = 31_536_000;

/** Personal access tokens: sessions of programs, each with a name. */
export class AccessTokens {
  readonly #storage: Storage;
  readonly #system: { readonly clock: Clock; readonly random: Random };
  readonly #issue: (sessionId: string, userId: string, expiresMs: number | null) => string;

  constructor(
    storage: Storage,
    system: { readonly clock: Clock; readonly random: Random },
    issue: (sessionId: string, userId: string, expiresMs: number | null) => string,
  ) {
    this.#storage = storage;
    this.#system = system;
    this.#issue = issue;
  }

  /** The tokens of a user, by time of creation. */
  list(userId: string): Promise<readonly AccessToken[]> {
    return this.#storage.read(async ({ sessions }) =>
      (await sessions.tokensOf(userId)).map((session) => ({
        id: session.id,
        name: session.token_name ?? "",
        createdMs: session.created_ms,
        ...(session.expires_ms === null ? {} : { expiresMs: session.expires_ms }),
        ...(session.last_used_ms === null ? {} : { lastUsedMs: session.last_used_ms }),
      })),
    );
  }

  /**
   * @param lifeS Its lifetime in seconds; 0: unlimited.
   * @returns The token.
   * @throws DomainError (invalid); (token-name-taken); (too-many-tokens)
   */
  async create(userId: string, name: string, lifeS: number): Promise<string> {
    if (name === "" || name.length > NAME_MAX) throw invalid(`name: must have 1 to ${NAME_MAX} characters`);
    if (!Number.isInteger(lifeS) || lifeS < 0 || lifeS > LIFE_MAX_S) {
      throw invalid(`expires_in: must be a whole number of seconds between 0 and ${LIFE_MAX_S}, not ${lifeS}`);
    }
    const id = this.#system.random.uuid();
    const now = this.#system.clock.now();
    const expiresMs = lifeS === 0 ? null : now + lifeS * 1000;
    await this.#storage.transaction(async ({ sessions }) => {
      await sessions.trimTokens(userId, now);
      const tokens = await sessions.tokensOf(userId);
      if (tokens.some((token) => token.token_name === name)) {
        throw new DomainError("token-name-taken", { name: name.slice(0, 60) });
      }
      if (tokens.length >= TOKENS_MAX) throw new DomainError("too-many-tokens", { max: TOKENS_MAX });
      await sessions.insert({
        id,
        user_id: userId,
        created_ms: now,
        expires_ms: expiresMs,
        token_name: name,
        last_used_ms: null,
      });
    });
    return this.#issue(id, userId, expiresMs);
  }

  /** Revokes a token of the user; an unknown id is ignored. */
  delete(userId: string, id: string): Promise<void> {
    return this.#storage.transaction(({ sessions }) => sessions.deleteToken(userId, id));
  }
}
