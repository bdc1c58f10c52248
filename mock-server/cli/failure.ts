/** A mistake of the user of the command: printed in one line, without a stack trace. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
