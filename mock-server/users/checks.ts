import { unprocessable } from "../errors.ts";

const TEXT_MAX = 256;
const PASSWORD_MIN = 8;

/** Why the e-mail address is refused; `undefined` if it is valid. */
export function emailFault(email: string): string | undefined {
  if (/^[!-~]+@[!-~]+$/.test(email) && email.length <= TEXT_MAX) return undefined;
  return `email: must be an e-mail address of at most ${TEXT_MAX} ASCII characters, not "${email.slice(0, 60)}"`;
}

/** Why the password is refused; `undefined` if it is valid. */
export function passwordFault(password: string): string | undefined {
  if (password.length >= PASSWORD_MIN && password.length <= TEXT_MAX) return undefined;
  return `password: must have ${PASSWORD_MIN} to ${TEXT_MAX} characters`;
}

/** @throws DomainError (unprocessable) */
export function checkEmail(email: string): void {
  const fault = emailFault(email);
  if (fault !== undefined) throw unprocessable(fault);
}

/** @throws DomainError (unprocessable), also if the password resembles the address. */
export function checkPassword(password: string, email: string): void {
  const fault = passwordFault(password);
  if (fault !== undefined) throw unprocessable(fault);
  const plain = password.toLowerCase();
  const [name = ""] = email.split("@");
  if (plain.includes(email) || email.includes(plain) || (name.length >= PASSWORD_MIN / 2 && plain.includes(name))) {
    throw unprocessable("password: must not be similar to the e-mail address");
  }
}
