import { given } from "../given.ts";
import { combinationsFault, providesFault } from "../protocol/index.ts";
import { ArtifactError } from "./errors.ts";
import type { ArtifactHeader } from "./types.ts";

/** The depends and provides of an artifact, merged over its header and payloads. */
export interface Terms {
  readonly depends: Readonly<Record<string, string | readonly string[]>>;
  readonly provides: Readonly<Record<string, string>>;
}

type Told = Pick<
  ArtifactHeader,
  "artifactName" | "artifactGroup" | "deviceTypes" | "dependsArtifactNames" | "dependsArtifactGroups" | "payloads"
>;

/** The terms of an artifact; `device_type` is among the depends. */
export function termsOf(header: Told): Terms {
  const types = header.payloads.map(({ typeInfo }) => typeInfo);
  return {
    depends: {
      ...given({ artifact_name: header.dependsArtifactNames, artifact_group: header.dependsArtifactGroups }),
      ...Object.fromEntries(types.flatMap(({ depends = {} }) => Object.entries(depends))),
      device_type: header.deviceTypes,
    },
    provides: {
      artifact_name: header.artifactName,
      ...given({ artifact_group: header.artifactGroup }),
      ...Object.fromEntries(types.flatMap(({ provides = {} }) => Object.entries(provides))),
    },
  };
}

/** @throws ArtifactError if the terms are too large for a server's records or for a device's poll. */
export function checkTerms(header: Told): void {
  const { depends, provides } = termsOf(header);
  const depend = combinationsFault(depends);
  if (depend !== undefined) throw new ArtifactError("header-info-invalid", `the artifact depends: ${depend}`);
  const provide = providesFault(provides);
  if (provide !== undefined) throw new ArtifactError("header-info-invalid", `the artifact provides: ${provide}`);
}
