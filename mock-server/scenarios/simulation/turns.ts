// The one place where the simulation touches the real event loop: not to wait for time, but to learn
// that everything that could run has run.
import { setImmediate } from "node:timers";

/**
 * Resolves after every promise reaction and `process.nextTick` call that is due now, and whatever these
 * make due in turn, has run.
 */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
