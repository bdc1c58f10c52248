import { type Cron, SystemError } from "@upkeep/shared/system";

/** Loaded when a cron expression is first met: most agents have none, and should not pay for it. */
async function nodeCron(): Promise<typeof import("node-cron")> {
  return await import("node-cron");
}

async function fault(expression: string): Promise<string | undefined> {
  const { valid, errors } = (await nodeCron()).validateDetailed(expression);
  if (valid) return undefined;
  return errors.map(({ field, message }) => `${field}: ${message}`).join("; ") || "it is not a cron expression";
}

export const linuxCron: Cron = {
  fault,
  schedule: async (expression, action, timezone) => {
    const wrong = await fault(expression);
    if (wrong !== undefined) throw new SystemError("EINVAL", `cron expression '${expression}': ${wrong}`);
    const task = (await nodeCron()).schedule(expression, () => action(), {
      suppressMissedWarning: true,
      ...(timezone === undefined ? {} : { timezone }),
    });
    return {
      stop: () => {
        void task.destroy();
      },
    };
  },
};
