/**
 * What takes so long has hung, in milliseconds. Limits of tests only end what hangs: on a machine with thirty times more
 * to do than it can, a program that starts in one second needs half a minute.
 */
export const HANG_MS = 300_000;

/** The same for a single wait in a test: its error, which says what was waited for, comes before the test's. */
export const WAIT_MS = 0.8 * HANG_MS;
