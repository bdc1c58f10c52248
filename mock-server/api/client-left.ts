import { HttpError } from "./errors.ts";
import type { ApiRequest } from "./route.ts";

/** The client closed its connection. No answer reaches it; the status is for the log. */
const STATUS = 499;

/**
 * Runs work that ends when the client leaves.
 * @param work Gets a signal that is aborted then.
 * @throws HttpError if the client left.
 */
export async function whileConnected<T>(
  { socket }: Pick<ApiRequest, "socket">,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const leaving = new AbortController();
  const leave = (): void => leaving.abort(new HttpError(STATUS, "the client closed the connection"));
  if (socket.destroyed) leave();
  socket.once("close", leave);
  try {
    return await work(leaving.signal);
  } finally {
    socket.off("close", leave);
  }
}
