import type { ModuleImagePlan } from "@upkeep/shared/artifact/write";
import type { DeploymentRecord } from "../../storage/index.ts";
import type { Configuration } from "./configurations.ts";

/** The update module that applies a configuration. */
export const CONFIGURATION_TYPE = "mender-configure";

/** The artifact in the instructions for a device. */
export interface InstructedArtifact {
  readonly id: string;
  readonly name: string;
  readonly deviceTypes: readonly string[];
}

/** The artifact of a configuration deployment for one device; it is written when it is downloaded. */
export function configurationArtifact(
  { id, artifact_name }: DeploymentRecord,
  deviceId: string,
  deviceType: string,
): InstructedArtifact {
  return { id: `${id}${deviceId}`, name: artifact_name, deviceTypes: [deviceType] };
}

/** The plan of that artifact for `writeArtifact`. */
export function configurationPlan(name: string, configuration: Configuration, deviceType: string): ModuleImagePlan {
  return {
    kind: "module-image",
    type: CONFIGURATION_TYPE,
    artifactName: name,
    deviceTypes: [deviceType],
    files: [],
    metaDataJson: JSON.stringify(configuration),
    softwareFilesystem: "data-partition",
    // The content is small, and its bytes do not depend on a compressor.
    compression: "none",
  };
}
