import { type DeviceDeploymentStatus, isTerminal } from "@upkeep/shared/protocol";
import type { Happening } from "./events.ts";

/** A device's part in a deployment. */
interface Participant {
  /** The status at the server. */
  status: DeviceDeploymentStatus | undefined;
  deployment: string | undefined;
}

/** Notes a new status. A deployment for which the device is only waiting does not displace one that is under way. */
export function takePart(device: Participant, { status, deployment }: Happening & { readonly kind: "status" }): void {
  const isUnderWay = device.status !== undefined && !isTerminal(device.status);
  if (isUnderWay && deployment !== device.deployment && (status === "pending" || isTerminal(status))) return;
  device.status = status;
  device.deployment = deployment;
}
