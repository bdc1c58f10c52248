import { audienceOfErrors, drawLine, endDrawnLine } from "../system/terminal.ts";
import type { ProgressEvent } from "../update/index.ts";
import type { Globals } from "./globals.ts";

const WIDTH = 40;
const MIB = 1024 * 1024;

/** The bar after `receivedBytes`, as one line without its end. */
export function barLine(receivedBytes: number, totalBytes: number | undefined): string {
  const mebibytes = `${(receivedBytes / MIB).toFixed(1)} MiB`;
  if (totalBytes === undefined || totalBytes === 0) return mebibytes;
  const share = Math.min(1, receivedBytes / totalBytes);
  const full = Math.floor(share * WIDTH);
  return `[${"#".repeat(full)}${" ".repeat(WIDTH - full)}] ${String(Math.floor(share * 100)).padStart(3)}%  ${mebibytes}`;
}

/** Draws a download's progress; `undefined` if a person does not read standard error. */
export function progressBar({ logFormat }: Pick<Globals, "logFormat">): ((event: ProgressEvent) => void) | undefined {
  if (audienceOfErrors() !== "terminal" || logFormat === "json" || logFormat === "journal") return undefined;
  let drawn = "";
  return (event) => {
    if (event.kind === "state") {
      if (event.state !== "Download") endDrawnLine();
      return;
    }
    const line = barLine(event.receivedBytes, event.totalBytes);
    // Tenths of a mebibyte would be drawn thousands of times on a fast disk.
    if (line.slice(0, WIDTH + 7) === drawn.slice(0, WIDTH + 7) && event.totalBytes !== undefined) return;
    drawn = line;
    drawLine(line);
  };
}
