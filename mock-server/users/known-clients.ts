import type { Clock, Random } from "@upkeep/shared/system";
import * as z from "zod";
import { TokenKey } from "../tokens.ts";

const ISSUER = "upkeep.known-client";
const LIFE_MS = 180 * 24 * 3_600_000;

const Claims = z.object({
  /** The client. */
  jti: z.string(),
  /** The e-mail address of the account that it has logged in to. */
  sub: z.string(),
  iss: z.literal(ISSUER),
  /** Seconds since the Unix epoch. */
  exp: z.number(),
});
type Claims = z.infer<typeof Claims>;

/**
 * Proofs that a client has logged in to an account before. A proof grants no access: the login limit counts the
 * attempts of a known client apart from those of strangers. It survives the session, a restart and a new password.
 */
export class KnownClients {
  readonly #system: { readonly clock: Clock; readonly random: Random };
  readonly #proofs: TokenKey<Claims>;

  /** The lifetime of a proof, in seconds. */
  readonly lifeS = LIFE_MS / 1000;

  constructor(system: { readonly clock: Clock; readonly random: Random }, tokenSeed: Uint8Array) {
    this.#system = system;
    this.#proofs = new TokenKey(
      tokenSeed,
      { kid: "upkeep-known-clients" },
      (payload) => Claims.safeParse(payload).data,
    );
  }

  /** @returns The client of a proof that is valid for this account. */
  find(proof: string, email: string): string | undefined {
    const claims = this.#proofs.read(proof);
    if (claims === undefined || claims.sub !== email.toLowerCase()) return undefined;
    return this.#system.clock.now() < claims.exp * 1000 ? claims.jti : undefined;
  }

  /** @param client A known client keeps its id. Default: a new id. */
  issue(email: string, client?: string): string {
    const exp = Math.floor((this.#system.clock.now() + LIFE_MS) / 1000);
    return this.#proofs.issue({
      jti: client ?? this.#system.random.uuid(),
      sub: email.toLowerCase(),
      iss: ISSUER,
      exp,
    });
  }
}
