import type { Random } from "@upkeep/shared/system";
import { decoyHash, hashPassword, isPassword } from "./password-hash.ts";

/** The maximum length of a password. */
const LENGTH_MAX = 256;

/** Hashes passwords, and checks them serially: each check needs 64 MiB of memory and a thread. */
export class Passwords {
  readonly #random: Random;
  readonly #work: number;
  /** Compared for an unknown address, which must take as long as a wrong password. */
  readonly #decoy: string;
  #checking: Promise<unknown> = Promise.resolve();

  /** @param work The N of scrypt for new hashes: a power of two. */
  constructor(random: Random, work: number) {
    this.#random = random;
    this.#work = work;
    this.#decoy = decoyHash(random, work);
  }

  hash(password: string): Promise<string> {
    return hashPassword(this.#random, password, this.#work);
  }

  /** @param hash `undefined` for an unknown user. */
  check(password: string, hash: string | undefined): Promise<boolean> {
    const check = () => isPassword(password.length <= LENGTH_MAX ? password : "", hash ?? this.#decoy);
    const result = this.#checking.then(check, check);
    this.#checking = result;
    return result;
  }
}
