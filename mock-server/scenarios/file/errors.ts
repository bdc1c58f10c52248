/** Something that is wrong with a scenario file, and where. */
export interface FileFault {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** Such as `fleet[0].poll`; empty for the file as a whole. */
  readonly path: string;
  /** What was expected, and what is there. */
  readonly message: string;
}

/** A scenario file cannot be used. The message has a line for each fault: `file:line:column: path: …`. */
export class ScenarioFileError extends Error {
  override readonly name = "ScenarioFileError";
  readonly file: string;
  readonly faults: readonly FileFault[];

  constructor(file: string, faults: readonly FileFault[]) {
    super(
      faults
        .map(
          ({ line, column, path, message }) => `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`,
        )
        .join("\n"),
    );
    this.file = file;
    this.faults = faults;
  }
}
