import { type Api, LacksOperation, Unreachable } from "./api.ts";
import { type Deployment, progressOf } from "./deployments.ts";

/** Devices that failed for one reason. */
export interface Failure {
  readonly reason: string;
  readonly count: number;
}

/** Why devices of a deployment have failed; empty if none has, or the server does not tell. */
export async function failuresOf(api: Api, deployment: Deployment, signal?: AbortSignal): Promise<readonly Failure[]> {
  if (progressOf(deployment).failed === 0) return [];
  try {
    const { data } = await api.call("get", "/api/management/v1/deployments/deployments/{id}/failures", {
      params: { id: deployment.id },
      beyond: true,
      ...(signal === undefined ? {} : { signal }),
    });
    return data.map(({ reason = "no reason is known", count }) => ({ reason, count }));
  } catch (error) {
    if (error instanceof LacksOperation || error instanceof Unreachable) return [];
    throw error;
  }
}
