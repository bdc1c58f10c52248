import type { AugmentPlan, Depends, ResolvedPlan } from "./plan.ts";
import { type TarFile, tarFile } from "./tar.ts";

/** SHA-256 of the payload's files, by name. */
export type Checksums = ReadonlyMap<string, string>;

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

export const VERSION_CONTENT = text('{"format":"mender","version":3}');

function some<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

/** Sorts keys by code point, so that the same plan gives the same bytes; `undefined` if empty. */
function sorted(map: Depends): Depends | undefined {
  const keys = Object.keys(map).sort();
  return keys.length === 0 ? undefined : Object.fromEntries(keys.map((key) => [key, map[key] ?? ""]));
}

/** `header-info`. JSON leaves out what is undefined. */
function headerInfo(plan: ResolvedPlan, type = plan.type): string {
  return JSON.stringify({
    payloads: [{ type }],
    artifact_provides: { artifact_name: plan.artifactName, artifact_group: plan.artifactGroup || undefined },
    artifact_depends: {
      artifact_name: some(plan.dependsArtifactNames),
      device_type: plan.deviceTypes,
      artifact_group: some(plan.dependsArtifactGroups),
    },
  });
}

function typeInfo(plan: ResolvedPlan, checksums: Checksums): string {
  const [file] = plan.files;
  const checksum = file === undefined ? undefined : checksums.get(file.name);
  const measured = plan.checksumKey === undefined || checksum === undefined ? {} : { [plan.checksumKey]: checksum };
  return JSON.stringify({
    type: plan.type,
    artifact_depends: sorted(plan.depends),
    artifact_provides: sorted({ ...plan.provides, ...measured }),
    clears_artifact_provides: some(plan.clearsProvides),
  });
}

/** The files of header.tar. */
export function headerFiles(plan: ResolvedPlan, checksums: Checksums): readonly TarFile[] {
  const { metaDataJson } = plan;
  return [
    tarFile("header-info", text(headerInfo(plan))),
    ...plan.scripts.map(({ name, content }) => tarFile(`scripts/${name}`, content, 0o755)),
    tarFile("headers/0000/type-info", text(typeInfo(plan, checksums))),
    ...(metaDataJson === undefined ? [] : [tarFile("headers/0000/meta-data", text(metaDataJson))]),
  ];
}

/** The files of header-augment.tar. */
export function augmentedHeaderFiles(plan: ResolvedPlan, augment: AugmentPlan): readonly TarFile[] {
  const { type, provides = {}, depends = {}, metaDataJson } = augment;
  const info = { type, artifact_depends: sorted(depends), artifact_provides: sorted(provides) };
  return [
    tarFile("header-info", text(headerInfo(plan, type))),
    tarFile("headers/0000/type-info", text(JSON.stringify(info))),
    ...(metaDataJson === undefined ? [] : [tarFile("headers/0000/meta-data", text(metaDataJson))]),
  ];
}

/** `manifest`: one line for each file, sorted by name. */
export function manifestContent(checksums: ReadonlyMap<string, string>): Uint8Array {
  const lines = [...checksums.keys()].sort().map((name) => `${checksums.get(name)}  ${name}\n`);
  return text(lines.join(""));
}
