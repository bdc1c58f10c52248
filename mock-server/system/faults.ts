import { SystemError } from "@upkeep/shared/system";

interface PlatformError extends Error {
  readonly code: string;
}

function isPlatformError(error: unknown): error is PlatformError {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

/** Converts an error of the platform to a SystemError with the same code and message. */
export function asSystemError(error: unknown): unknown {
  return isPlatformError(error) && !(error instanceof SystemError)
    ? new SystemError(error.code, error.message, { cause: error })
    : error;
}

/** Awaits `work` and converts its error to a SystemError. */
export async function throughDoor<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asSystemError(error);
  }
}

/** The error of a part of the system interface that the server does not implement. */
export function refused(what: string): SystemError {
  return new SystemError("ENOSYS", `the server ${what}`);
}
