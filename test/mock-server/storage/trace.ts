/** A system call as strace tells it: where in the trace it began and ended. */
export interface SystemCall {
  readonly process: string;
  readonly name: string;
  readonly text: string;
  readonly began: number;
  readonly ended: number;
  /** What it returned; `undefined` if the trace ends before. */
  readonly result: string | undefined;
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += (-?\d+).*$/;
const BEGUN = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/;
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+).*$/;

/** The calls of `strace -f`, in the order in which they began. */
export function readTrace(text: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, SystemCall>();
  for (const [at, line] of text.split("\n").entries()) {
    const whole = WHOLE.exec(line);
    if (whole !== null) {
      const [, process = "", name = "", args = "", result] = whole;
      calls.push({ process, name, text: args, began: at, ended: at, result });
      continue;
    }
    const begun = BEGUN.exec(line);
    if (begun !== null) {
      const [, process = "", name = "", args = ""] = begun;
      open.set(process, { process, name, text: args, began: at, ended: Number.POSITIVE_INFINITY, result: undefined });
      continue;
    }
    const resumed = RESUMED.exec(line);
    const [, process = "", , rest = "", result] = resumed ?? [];
    const call = open.get(process);
    if (call === undefined || resumed === null) continue;
    open.delete(process);
    calls.push({ ...call, text: call.text + rest, ended: at, result });
  }
  return [...calls, ...open.values()].sort((a, b) => a.began - b.began);
}

/** The file that a call is about, as `strace -y` names it. */
export function fileOf({ text }: SystemCall): string {
  return /^\d+<([^>]*)>/.exec(text)?.[1] ?? "";
}

/** Calls that make a file durable, and did. */
export function syncs(calls: readonly SystemCall[], file: RegExp): SystemCall[] {
  return calls.filter((call) => /^f(data)?sync$/.test(call.name) && call.result === "0" && file.test(fileOf(call)));
}
