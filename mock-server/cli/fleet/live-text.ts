import { standardError } from "../../system/environment.ts";

/** Lines on a terminal that are overwritten by the next ones. */
export interface LiveText {
  show(lines: readonly string[]): void;
  clear(): void;
}

const UP_AND_CLEAR = (lines: number): string => (lines === 0 ? "" : `\x1b[${lines}A\x1b[0J`);

/** Live text on standard error, if that is a terminal and the options allow it. */
export function openLiveText(wanted: boolean): LiveText {
  if (!wanted || !standardError.isTerminal) return { show: () => undefined, clear: () => undefined };
  let shown = 0;
  return {
    show: (lines) => {
      standardError.write(`${UP_AND_CLEAR(shown)}${lines.join("\n")}\n`);
      shown = lines.length;
    },
    clear: () => {
      standardError.write(UP_AND_CLEAR(shown));
      shown = 0;
    },
  };
}
