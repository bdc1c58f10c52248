/** A mistake of whoever runs the program: told in one line, without a trace. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
