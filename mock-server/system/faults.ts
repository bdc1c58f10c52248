import { SystemError } from "@upkeep/shared/system";

interface PlatformError extends Error {
  readonly code: string;
}

function isPlatformError(error: unknown): error is PlatformError {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

/** The platform's error as the door tells it: its code, its text, itself as the cause. */
export function asSystemError(error: unknown): unknown {
  return isPlatformError(error) && !(error instanceof SystemError)
    ? new SystemError(error.code, error.message, { cause: error })
    : error;
}

/** Await `work`; what it rejects with becomes a SystemError. */
export async function throughDoor<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asSystemError(error);
  }
}

/** A part of the door that the server has no use for, and so does not have. */
export function refused(what: string): SystemError {
  return new SystemError("ENOSYS", `the server ${what}`);
}
