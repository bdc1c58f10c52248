import { printable } from "@upkeep/shared/text";
import type { Ctl } from "../context.ts";
import { findDeployment } from "../deployments.ts";
import { parseDuration } from "../durations.ts";
import { EXIT, type ExitCode, usage } from "../failure.ts";
import { follow } from "../follow.ts";
import { counted } from "../output/texts.ts";

interface RetryOptions {
  readonly deployment: string;
  readonly yes?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
}

/** Deploys the same release again, to the devices that failed. */
export async function deploymentsRetry(
  { deployment: word, yes, wait, timeout }: RetryOptions,
  ctl: Ctl,
): Promise<ExitCode> {
  const timeoutMs = timeout === undefined ? undefined : parseDuration("timeout", timeout);
  if (timeoutMs !== undefined && wait !== true) throw usage("--timeout needs --wait");
  const api = await ctl.api();
  const { id, artifact_name: release, statistics } = await findDeployment(api, word);
  const failed = statistics?.status.failure ?? 0;
  const question = `Deploy ${printable(release)} again to ${counted(failed, "device")} that failed?`;
  if (!(await ctl.confirmed(question, yes))) return EXIT.error;
  const path = "/api/management/v1/deployments/deployments/{id}/retry";
  const { made } = await api.call("post", path, { params: { id }, body: {}, beyond: true });
  if (wait === true) {
    ctl.say(`Deployment ${made} is created.`);
    return await follow(made, { api, ctl, timeoutMs });
  }
  if (ctl.json) ctl.printJson({ id: made, retry_of: id });
  else ctl.print(`Deployment ${made} is created.`);
  return EXIT.ok;
}
