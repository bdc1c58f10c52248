import type { Random } from "@upkeep/shared/system";
import { hashOfNobody, isPassword } from "./passwords.ts";

/** No password is longer. */
const LENGTH_MAX = 256;

/** Checks passwords one at a time: each check takes its fill of memory and a thread. */
export class PasswordChecks {
  /** For an unknown address, which must cost the same time as a wrong password. */
  readonly #nobody: string;
  #checking: Promise<unknown> = Promise.resolve();

  constructor(random: Random) {
    this.#nobody = hashOfNobody(random);
  }

  /** @param hash `undefined`: of nobody. */
  check(password: string, hash: string | undefined): Promise<boolean> {
    const check = () => isPassword(password.length <= LENGTH_MAX ? password : "", hash ?? this.#nobody);
    const result = this.#checking.then(check, check);
    this.#checking = result;
    return result;
  }
}
