import { printable } from "@upkeep/shared/text";
import { ApiError } from "../api.ts";
import type { Ctl } from "../context.ts";
import { findDeployment, progressOf, progressText } from "../deployments.ts";
import { CtlError, EXIT, type ExitCode } from "../failure.ts";

interface ChangeOptions {
  readonly deployment: string;
  readonly yes?: boolean;
}

type Wanted = "aborted" | "paused" | "resumed" | "finished";

const PATH = "/api/management/v1/deployments/deployments/{id}/status";

export const deploymentsAbort = (options: ChangeOptions, ctl: Ctl) => change(options, ctl, "aborted");
export const deploymentsPause = (options: ChangeOptions, ctl: Ctl) => change(options, ctl, "paused");
export const deploymentsResume = (options: ChangeOptions, ctl: Ctl) => change(options, ctl, "resumed");
export const deploymentsFinish = (options: ChangeOptions, ctl: Ctl) => change(options, ctl, "finished");

async function change({ deployment: word, yes }: ChangeOptions, ctl: Ctl, status: Wanted): Promise<ExitCode> {
  const api = await ctl.api();
  const deployment = await findDeployment(api, word);
  const name = printable(deployment.name);
  if (status === "aborted") {
    const question = `Abort ${name} (${progressText(progressOf(deployment))})?`;
    if (!(await ctl.confirmed(question, yes))) return EXIT.error;
  }
  try {
    await api.call("put", PATH, { params: { id: deployment.id }, body: { status } });
  } catch (error) {
    // Other servers know no status but aborted.
    if (error instanceof ApiError && error.status === 400 && status !== "aborted") {
      throw new CtlError(`${api.server} does not offer this: deployments cannot be ${status} there (${error.message})`);
    }
    throw error;
  }
  ctl.say(`Deployment ${name} is ${status}.`);
  return EXIT.ok;
}
