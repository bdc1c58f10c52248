import { SystemError } from "@upkeep/shared/system";

/** The platform's own code, which a library may have wrapped in an error with a code of its own. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const inner = codeOf(error.cause);
  if (inner !== undefined) return inner;
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What the platform threw, as the door's error. `code` is EIO where the platform named none. */
export function asSystemError(error: unknown): SystemError {
  if (error instanceof SystemError) return error;
  if (error instanceof Error && error.cause instanceof SystemError) return error.cause;
  const message = error instanceof Error ? error.message : String(error);
  return new SystemError(codeOf(error) ?? "EIO", message, { cause: error });
}

/** Await a call of the platform; what it rejects with becomes a SystemError. */
export async function translated<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw asSystemError(error);
  }
}
