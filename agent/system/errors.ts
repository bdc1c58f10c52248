import { SystemError } from "@upkeep/shared/system";

/** The platform's error code, also of an error that a library has wrapped in its own. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const inner = codeOf(error.cause);
  if (inner !== undefined) return inner;
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** An error of the platform as the door's error. `code` is EIO if it has none. */
export function asSystemError(error: unknown): SystemError {
  if (error instanceof SystemError) return error;
  if (error instanceof Error && error.cause instanceof SystemError) return error.cause;
  const message = error instanceof Error ? error.message : String(error);
  return new SystemError(codeOf(error) ?? "EIO", message, { cause: error });
}

/** Await a call of the platform; its errors become SystemErrors. */
export async function translated<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw asSystemError(error);
  }
}

/** {@link translated}, for a call of the platform that never waits. */
export function synchronously<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asSystemError(error);
  }
}
