import { promptStandardError, terminalColumns } from "../../system/environment.ts";
import { shortenedPainted } from "./table.ts";

const DEFAULT_COLUMNS = 80;

/** Lines at the end of standard error that are drawn anew. Only for a terminal whose cursor moves. */
export class LiveArea {
  #lines = 0;

  get columns(): number {
    return terminalColumns("stderr") ?? DEFAULT_COLUMNS;
  }

  /** Draws these lines in the place of the last ones, each cut to the width of the terminal. */
  draw(lines: readonly string[]): void {
    const width = this.columns - 1;
    const text = lines.map((line) => `${shortenedPainted(line, width)}\n`).join("");
    promptStandardError.write(this.#erasing() + text);
    this.#lines = lines.length;
  }

  /** Writes lines above the area, which stay. */
  add(text: string): void {
    promptStandardError.write(`${this.#erasing()}${text}\n`);
    this.#lines = 0;
  }

  clear(): void {
    promptStandardError.write(this.#erasing());
    this.#lines = 0;
  }

  #erasing(): string {
    return this.#lines === 0 ? "" : `\u001b[${this.#lines}A\r\u001b[J`;
  }
}
