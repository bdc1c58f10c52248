const LEFT_OPEN_MS = 1000;

/**
 * Ends the program within a second, by SIGTERM, if something is still open by then. A look-up of a name cannot be
 * cancelled, takes minutes against a name server that does not answer, and even `process.exit` would wait for it. To be
 * called by a program that was told to stop, after it has removed its handlers of signals.
 */
export function endWithinSecond(): void {
  setTimeout(() => process.kill(process.pid, "SIGTERM"), LEFT_OPEN_MS).unref();
}
