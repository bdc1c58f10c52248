import { given } from "@upkeep/shared/given";
import { type Cron, SystemError } from "@upkeep/shared/system";

/** Loaded with the first cron expression: most agents have none. */
async function nodeCron(): Promise<typeof import("node-cron")> {
  return await import("node-cron");
}

async function fault(expression: string): Promise<string | undefined> {
  const { valid, errors } = (await nodeCron()).validateDetailed(expression);
  if (valid) return undefined;
  return errors.map(({ field, message }) => `${field}: ${message}`).join("; ") || "it is not a cron expression";
}

const MINUTE_MS = 60_000;

/** @throws SystemError with code EINVAL */
async function demandGood(expression: string, timezone: string | undefined): Promise<void> {
  const wrong = await fault(expression);
  if (wrong !== undefined) throw new SystemError("EINVAL", `cron expression '${expression}': ${wrong}`);
  if (timezone === undefined) return;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: timezone });
  } catch (error) {
    throw new SystemError("EINVAL", `time zone '${timezone}' is not known`, { cause: error });
  }
}

export const linuxCron: Cron = {
  fault,
  matches: async (expression, atMs, timezone) => {
    await demandGood(expression, timezone);
    // Only used to compute times. It is never started, so it has no timer.
    const task = (await nodeCron()).createTask(expression, () => undefined, timezone === undefined ? {} : { timezone });
    try {
      return task.match(new Date(Math.floor(atMs / MINUTE_MS) * MINUTE_MS));
    } finally {
      void task.destroy();
    }
  },
  schedule: async (expression, action, timezone) => {
    await demandGood(expression, timezone);
    const task = (await nodeCron()).schedule(expression, () => action(), {
      suppressMissedWarning: true,
      ...given({ timezone }),
    });
    return {
      next: () => task.getNextRun()?.getTime(),
      stop: () => {
        void task.destroy();
      },
    };
  },
};
