import { standardError } from "../../system/environment.ts";

/** Lines on a terminal that are written over again and again. */
export interface LiveText {
  show(lines: readonly string[]): void;
  clear(): void;
}

const UP_AND_CLEAR = (lines: number): string => (lines === 0 ? "" : `\x1b[${lines}A\x1b[0J`);

/** On standard error, if that is a terminal and somebody wants it. */
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
