import type { Logger } from "@upkeep/shared/logging";

const LEVELS = ["fatal", "error", "warning", "info", "debug", "trace"] as const satisfies readonly (keyof Logger)[];

/** `log`, of which no call ever throws: what goes on must not depend on whether it can be written down. */
export function unfailing(log: Logger): Logger {
  let unsaid = 0;
  const guarded =
    (level: (typeof LEVELS)[number]): Logger["info"] =>
    (message, fields) => {
      const before = unsaid === 0 ? "" : ` (${unsaid} messages before this one could not be written)`;
      try {
        log[level](`${message}${before}`, fields);
        unsaid = 0;
      } catch {
        unsaid++;
      }
    };
  const calls = Object.fromEntries(LEVELS.map((level) => [level, guarded(level)])) as Omit<Logger, "with">;
  return { ...calls, with: (fields) => unfailing(log.with(fields)) };
}
