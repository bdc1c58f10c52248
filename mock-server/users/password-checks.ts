import type { Random } from "@upkeep/shared/system";
import { decoyHash, isPassword } from "./passwords.ts";

/** The maximum length of a password. */
const LENGTH_MAX = 256;

/** Checks passwords serially: each check needs 64 MiB of memory and a thread. */
export class PasswordChecks {
  /** Compared for an unknown address, which must take as long as a wrong password. */
  readonly #decoy: string;
  #checking: Promise<unknown> = Promise.resolve();

  constructor(random: Random) {
    this.#decoy = decoyHash(random);
  }

  /** @param hash `undefined` for an unknown user. */
  check(password: string, hash: string | undefined): Promise<boolean> {
    const check = () => isPassword(password.length <= LENGTH_MAX ? password : "", hash ?? this.#decoy);
    const result = this.#checking.then(check, check);
    this.#checking = result;
    return result;
  }
}
