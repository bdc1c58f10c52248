import { printable } from "@upkeep/shared/text";

/** The kernel reads this much of a file to find the interpreter. */
export const FIRST_LINE_BYTES_MAX = 256;

/** The interpreter that a script names, and its argument; `undefined` if the file is no script. */
export function interpreterIn(start: Uint8Array): readonly [string, ...string[]] | undefined {
  const [firstLine = ""] = Buffer.from(start).toString("latin1").split("\n");
  const [, interpreter, argument] = /^#![ \t]*(\/[^ \t\0]*)[ \t]*(.*?)[ \t]*$/s.exec(firstLine) ?? [];
  if (interpreter === undefined) return undefined;
  return argument ? [interpreter, argument] : [interpreter];
}

/** Why a script cannot be started whose interpreter is not there. */
export function missingInterpreter(interpreter: string): string {
  const missing = `its interpreter ${printable(interpreter)} is missing`;
  if (!interpreter.endsWith("\r")) return missing;
  return `${missing}, because the file has Windows line ends (CRLF); it needs Unix ones (LF)`;
}
