/** Records or a bucket that cannot be opened; the cause says why. */
export class UnusableDataError extends Error {
  override readonly name = "UnusableDataError";
  readonly part: "records" | "bucket";

  constructor(part: "records" | "bucket", cause: unknown) {
    super(`the ${part} cannot be used`, { cause });
    this.part = part;
  }
}
