import type { Comparison } from "./rounds.ts";

export type Format = "text" | "markdown" | "json";

/** What one should come to. */
export interface Aim {
  readonly aim: number;
  readonly isAtMost?: true;
}

/** Prints what was measured as it comes, and knows which aims were missed. */
export class Report {
  readonly #format: Format;
  #missed = 0;

  constructor(format: Format) {
    this.#format = format;
    if (format === "markdown") process.stdout.write("| What | Figure | Beside |\n| --- | ---: | --- |\n");
  }

  get missed(): number {
    return this.#missed;
  }

  /** What was measured, what came of it, and how that compares. */
  say(what: string, figure: string, beside = ""): void {
    if (this.#format === "json") return;
    const line =
      this.#format === "markdown"
        ? `| ${what} | ${figure} | ${beside} |`
        : `${what.padEnd(60)}${figure.padStart(12)}  ${beside}`.trimEnd();
    process.stdout.write(`${line}\n`);
  }

  /** What is no measure. */
  note(text: string): void {
    (this.#format === "text" ? process.stdout : process.stderr).write(`${text}\n`);
  }

  /** A comparison beside a figure: its median, and from where to where it went. */
  beside({ median, least, most }: Comparison, what: string, aim?: Aim): string {
    const spread = `${least.toFixed(2)} to ${most.toFixed(2)}`;
    return `${median.toFixed(2)} of ${what} (${spread}${aim === undefined ? "" : `; ${this.aimed(median, aim, "")}`})`;
  }

  /** An aim, and whether it was reached. */
  aimed(value: number, { aim, isAtMost }: Aim, unit: string): string {
    const reached = isAtMost === true ? value <= aim : value >= aim;
    if (!reached) this.#missed += 1;
    return `aim ${aim}${unit}${reached ? "" : ", MISSED"}`;
  }
}
