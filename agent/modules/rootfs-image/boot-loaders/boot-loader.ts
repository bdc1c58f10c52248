import type { BootVariables } from "../variables.ts";

/** A boot loader's environment, through the tools that come with it. */
export interface BootLoader {
  /** For messages, such as `U-Boot`. */
  readonly name: string;
  /**
   * All variables.
   * @returns `undefined` if this boot loader's tools or its environment are not on this device.
   * @throws AgentError `tool-failed`.
   */
  read(): Promise<BootVariables | undefined>;
  /**
   * Set variables: all at once where the tools can, else one after the other.
   * @throws AgentError `boot-environment-not-written` if they differ when read back.
   */
  write(changes: BootVariables): Promise<void>;
}
