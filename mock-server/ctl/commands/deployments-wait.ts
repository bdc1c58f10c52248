import type { Ctl } from "../context.ts";
import { findDeployment } from "../deployments.ts";
import { parseDuration } from "../durations.ts";
import type { ExitCode } from "../failure.ts";
import { follow } from "../follow.ts";

/** Waits until a deployment has ended. */
export async function deploymentsWait(
  { deployment, timeout }: { readonly deployment: string; readonly timeout?: string },
  ctl: Ctl,
): Promise<ExitCode> {
  const timeoutMs = timeout === undefined ? undefined : parseDuration("timeout", timeout);
  const api = await ctl.api();
  const { id } = await findDeployment(api, deployment);
  return await follow(id, { api, ctl, timeoutMs });
}
