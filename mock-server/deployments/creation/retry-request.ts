import { DomainError, notFound, unprocessable } from "../../errors.ts";
import type { Records } from "../../storage/index.ts";
import type { UpdateControlMap } from "../update-control.ts";
import type { NewDeployment } from "./new-deployment.ts";

/**
 * The request for a deployment to the failed devices of another one, without its phases.
 * @throws DomainError (not-found); (no-target-devices); (unprocessable) if the deployment delivered a configuration.
 */
export async function retryRequest(records: Records, id: string): Promise<NewDeployment> {
  const deployment = await records.deployments.find(id);
  if (deployment === undefined) throw notFound();
  if (deployment.kind === "configuration") {
    throw unprocessable("the deployment delivered a configuration: deploy the configuration of the device again");
  }
  const devices = await records.deviceDeployments.failedAndAccepted(id);
  if (devices.length === 0) throw new DomainError("no-target-devices");
  const { silent_after_ms: silentAfterMs, update_control_map_json: map } = deployment;
  return {
    name: deployment.name,
    artifactName: deployment.artifact_name,
    devices,
    forceInstallation: deployment.force_installation === 1,
    retries: deployment.retries,
    ...(silentAfterMs === null ? {} : { silentAfterMs }),
    ...(map === null ? {} : { updateControlMap: JSON.parse(map) as UpdateControlMap }),
    retryOf: id,
  };
}
