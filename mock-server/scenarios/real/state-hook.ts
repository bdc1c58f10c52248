import { replaceFile, type System } from "@upkeep/shared/system";

/** Environment variable with the path that a number is appended to: the file says that this state has been seen. */
const SEEN_VARIABLE = "UPKEEP_SCENARIO_STATES";
const MODULE = "/state-hook.cjs";
const SEEN = "/state-seen-";

/** Pause between two looks for the file, and how long an agent waits for a runner that has ended; milliseconds. */
const LOOK_MS = 2;
const WAIT_MS = 60_000;

/** Loaded into the agent's process: whenever it logs that it enters a state, it stands still until that has been seen. */
const TEXT = `const fs = require("node:fs");
const { isMainThread } = require("node:worker_threads");
const seen = process.env.${SEEN_VARIABLE};
const cell = new Int32Array(new SharedArrayBuffer(4));
let states = 0;
const wait = () => {
  states++;
  for (let looks = 0; looks < ${WAIT_MS / LOOK_MS} && !fs.existsSync(seen + states); looks++)
    Atomics.wait(cell, 0, 0, ${LOOK_MS});
};
if (seen !== undefined && isMainThread)
  for (const output of [process.stdout, process.stderr]) {
    const { write } = output;
    output.write = function (text, ...more) {
      const done = write.call(this, text, ...more);
      if (/\\bstate \\w+: /.test(text)) wait();
      return done;
    };
  }
`;

/**
 * Holds an agent at the beginning of each state until the runner knows of it: a fault that is to happen before a state
 * finds the agent there, and one that holds while a state lasts meets its first request.
 */
export class StateHook {
  readonly #files: System["files"];
  readonly #root: string;
  #process = 0;
  #states = 0;

  /** @param root The device's directory. */
  constructor(files: System["files"], root: string) {
    this.#files = files;
    this.#root = root;
  }

  /** Options of Node that load the hook. */
  get nodeOptions(): readonly string[] {
    return ["--require", this.#root + MODULE];
  }

  async install(): Promise<void> {
    await replaceFile(this.#files, this.#root + MODULE, TEXT);
  }

  /** @returns The environment of a new process. */
  begin(): Readonly<Record<string, string>> {
    this.#process++;
    this.#states = 0;
    return { [SEEN_VARIABLE]: this.#seen };
  }

  get #seen(): string {
    return `${this.#root}${SEEN}${this.#process}-`;
  }

  /** The process goes on from the state that it has logged. */
  async goOn(): Promise<void> {
    this.#states++;
    await replaceFile(this.#files, this.#seen + this.#states, "");
  }
}
