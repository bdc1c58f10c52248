import type { ModuleImagePlan } from "@upkeep/shared/artifact/write";
import type { DeploymentRecord } from "../storage/index.ts";
import type { Configuration } from "./configurations.ts";

/** The update module that sets a device's configuration. */
export const CONFIGURATION_TYPE = "mender-configure";

/** What a device is told of the artifact that it is to install. */
export interface InstructedArtifact {
  readonly id: string;
  readonly name: string;
  readonly deviceTypes: readonly string[];
}

/** An artifact that is written when it is downloaded: it is for one device. */
export function configurationArtifact(
  { id, artifact_name }: DeploymentRecord,
  deviceId: string,
  deviceType: string,
): InstructedArtifact {
  return { id: `${id}${deviceId}`, name: artifact_name, deviceTypes: [deviceType] };
}

/** What `writeArtifact` makes that artifact of. */
export function configurationPlan(name: string, configuration: Configuration, deviceType: string): ModuleImagePlan {
  return {
    kind: "module-image",
    type: CONFIGURATION_TYPE,
    artifactName: name,
    deviceTypes: [deviceType],
    files: [],
    metaDataJson: JSON.stringify(configuration),
    softwareFilesystem: "data-partition",
    // There is little to compress, and the bytes are the same everywhere.
    compression: "none",
  };
}
