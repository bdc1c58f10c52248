import { setFlagsFromString } from "node:v8";

/** A variable of the environment; `undefined` if it is not set or empty. */
export function environmentVariable(name: string): string | undefined {
  return process.env[name] || undefined;
}

/** How long this program has kept processors busy, in milliseconds. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The most memory that this program has held so far (resident set), in bytes. */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/**
 * Limits by how many percent the heap grows before garbage is collected, where it may otherwise double or more: for
 * programs that hold a great many small things for long. Collecting more often costs them little.
 */
export function boundHeapGrowth(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
