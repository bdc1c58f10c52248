import { type Processes, SystemError } from "@upkeep/shared/system";

const nothing = (): void => undefined;

/** A virtual device runs no programs and hears no signals. */
export const NO_PROCESSES: Processes = {
  start: () => Promise.reject(new SystemError("ENOSYS", "a virtual device runs no programs")),
  onSignal: () => nothing,
};
