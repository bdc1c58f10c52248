import type { System } from "@upkeep/shared/system";
import { replaceFile } from "@upkeep/shared/system";
import { AgentError } from "../../../errors.ts";
import { describeFailure, succeeded, tryCommand } from "../commands.ts";
import { type BootVariables, firstDifference, parseVariables } from "../variables.ts";
import type { BootLoader } from "./boot-loader.ts";

export interface EnvTools {
  readonly name: string;
  readonly print: string;
  readonly set: string;
}

/** U-Boot's own tools: those of its source tree, or libubootenv's. */
export const U_BOOT: EnvTools = { name: "U-Boot", print: "fw_printenv", set: "fw_setenv" };

/** Tools with the same command line that keep two copies of a GRUB environment. */
export const GRUB_MENDER: EnvTools = {
  name: "GRUB (grub-mender-grubenv)",
  print: "grub-mender-grubenv-print",
  set: "grub-mender-grubenv-set",
};

/** The forms of a line in a batch file: newer tools accept both, older ones only one or the other. */
const BATCH_SEPARATORS = ["=", " "] as const;

/** A boot loader whose tools are used like `fw_printenv` and `fw_setenv`. */
export class EnvToolsBootLoader implements BootLoader {
  readonly name: string;
  readonly #system: Pick<System, "files" | "processes">;
  readonly #tools: EnvTools;
  readonly #batch: string;

  /** @param scratch A directory for the batch file. */
  constructor(system: Pick<System, "files" | "processes">, tools: EnvTools, scratch: string) {
    this.name = tools.name;
    this.#system = system;
    this.#tools = tools;
    this.#batch = `${scratch}/boot-variables`;
  }

  async read(): Promise<BootVariables | undefined> {
    const result = await tryCommand(this.#system, this.#tools.print, []);
    if (result === undefined) return undefined;
    if (!succeeded(result)) throw new AgentError("tool-failed", describeFailure(this.#tools.print, result));
    return parseVariables(result.stdout);
  }

  async write(changes: BootVariables): Promise<void> {
    let fault = "";
    const attempts = [
      ...BATCH_SEPARATORS.map((separator) => () => this.#writeBatch(changes, separator)),
      () => this.#writeSingly(changes),
    ];
    for (const attempt of attempts) {
      const complaint = await attempt();
      // An exit code of 0 is not enough: some tools ignore lines that they do not understand.
      const missing = firstDifference((await this.read()) ?? {}, changes);
      if (missing === undefined) return;
      fault = complaint ?? `${this.#tools.set} reported success, but ${missing} is not ${changes[missing]}`;
    }
    throw new AgentError("boot-environment-not-written", `the environment of ${this.name} was not written: ${fault}`);
  }

  /** @returns What went wrong, as far as the tool tells. */
  async #writeBatch(changes: BootVariables, separator: string): Promise<string | undefined> {
    const lines = Object.entries(changes).map(([name, value]) => `${name}${separator}${value}\n`);
    await replaceFile(this.#system.files, this.#batch, lines.join(""));
    try {
      return await this.#set(["-s", this.#batch]);
    } finally {
      await this.#system.files.remove(this.#batch);
    }
  }

  async #writeSingly(changes: BootVariables): Promise<string | undefined> {
    for (const [name, value] of Object.entries(changes)) {
      const complaint = await this.#set([name, value]);
      if (complaint !== undefined) return complaint;
    }
    return undefined;
  }

  async #set(args: readonly string[]): Promise<string | undefined> {
    const result = await tryCommand(this.#system, this.#tools.set, args);
    if (result === undefined) return `${this.#tools.set} is not installed`;
    return succeeded(result) ? undefined : describeFailure(this.#tools.set, result);
  }
}
