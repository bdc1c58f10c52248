import { spawnSync } from "node:child_process";

/** Far more than a start and a refusal take. */
const CPU_S = 40;

/**
 * Runs a program to its end, or to its limit of processor time: that is the same however busy the machine is.
 * @returns Its exit status, `null` if it took too much, and its standard error.
 */
export function spawnBounded(command: string, args: readonly string[]): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync("prlimit", [`--cpu=${CPU_S}`, command, ...args], { encoding: "utf8" });
  return { status, stderr };
}
