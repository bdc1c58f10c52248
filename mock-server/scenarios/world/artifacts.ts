import { type CommonPlan, loadSigningKey, type WriteOptions, writeArtifact } from "@upkeep/shared/artifact/write";
import { given } from "@upkeep/shared/given";
import type { ArtifactDefect } from "../../faults/effects/exchange.ts";
import { COMPRESSORS } from "../../releases/compression.ts";
import { MemorySink } from "../../releases/memory-sink.ts";
import type { ScenarioArtifact } from "../file/index.ts";
import { SeededKey } from "../seeded-key.ts";
import { rootImage } from "../simulation/index.ts";

/** The payload type of artifacts made on the fly, and the name of the update module of the devices. */
export const PAYLOAD_TYPE = "software";
/** An update module that no device has. */
const UNKNOWN_TYPE = "unheard-of";

/** Key pairs of a scenario: the one that devices trust, and one that no device trusts. */
export function signingKeys(seed: string) {
  return { trusted: new SeededKey(`${seed}/signing`), foreign: new SeededKey(`${seed}/foreign`) };
}

function fileOf(name: string, content: Uint8Array) {
  return {
    name,
    sizeBytes: content.length,
    read: async function* () {
      yield content;
    },
  };
}

/** The artifact of a release, beyond the name of the release. */
export interface ReleaseContents extends Omit<CommonPlan, "artifactName"> {
  /** `null`: an artifact without a payload. */
  readonly type: string | null;
  /** Contents by name, in the order of the payload. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly scripts: Readonly<Record<string, Uint8Array>>;
}

/** Writes the artifact of a release, which provides the release's name as the version of the root file system. */
export async function writeRelease(
  release: string,
  { type, files, scripts, ...contents }: ReleaseContents,
  options: WriteOptions = {},
): Promise<Buffer> {
  const common = {
    ...contents,
    artifactName: release,
    provides: { "rootfs-image.version": release, ...contents.provides },
    clearsProvides: ["rootfs-image.*", ...(contents.clearsProvides ?? [])],
  };
  const sink = new MemorySink();
  const payload = {
    files: Object.entries(files).map(([name, content]) => fileOf(name, content)),
    scripts: Object.entries(scripts).map(([name, content]) => ({ name, content })),
    noDefaultSoftwareVersion: true,
  };
  await writeArtifact(
    type === null ? { kind: "bootstrap", ...common } : { kind: "module-image", ...common, type, ...payload },
    sink,
    options,
  );
  return sink.content;
}

/** A payload that names its software, and that shows whether it is whole. */
export function payloadOf(
  software: string,
  {
    payload,
    alike,
    boots,
    config,
    trusts,
  }: Pick<ScenarioArtifact, "payload" | "alike" | "boots" | "config" | "trusts">,
): Uint8Array {
  const carries = config === undefined && trusts === undefined ? undefined : { config, trusts };
  return rootImage({ software, boots, sizeBytes: payload, ...given({ alike, carries }) });
}

/** How the payload of an artifact is written: its type, and the files that the update module of that type takes. */
export interface PayloadFormat {
  readonly type: string;
  files(content: Uint8Array): Readonly<Record<string, Uint8Array>>;
}

/** For the update module of simulated devices, and for modules that take one file of any name. */
export function oneFile(type: string): PayloadFormat {
  return { type, files: (payload) => ({ payload }) };
}

/** For the update module single-file, which Mender clients and the agent have. */
const SINGLE_FILE: PayloadFormat = {
  type: "single-file",
  files: (content) => ({
    dest_dir: Buffer.from("/tmp\n"),
    filename: Buffer.from("upkeep-scenario-payload\n"),
    permissions: Buffer.from("644\n"),
    "upkeep-scenario-payload": content,
  }),
};

/** The format that real devices understand for this payload type. */
export function formatForDevices(type: string): PayloadFormat {
  return type === SINGLE_FILE.type ? SINGLE_FILE : oneFile(type);
}

/**
 * The bytes of an artifact of a scenario.
 * @param defect A defect to build in.
 * @param script Makes the state scripts; default: those of simulated devices.
 */
export async function makeArtifact(
  release: string,
  artifact: ScenarioArtifact,
  seed: string,
  defect?: ArtifactDefect,
  script: ScriptMaker = scriptOf,
  format: PayloadFormat = oneFile(PAYLOAD_TYPE),
): Promise<Buffer> {
  const { trusted, foreign } = signingKeys(seed);
  const key =
    defect === "unsigned" ? undefined : defect === "wrong_signature" ? foreign : artifact.signed ? trusted : undefined;
  const type = defect === "missing_module" ? UNKNOWN_TYPE : format.type;
  return await writeRelease(
    release,
    {
      deviceTypes: defect === "wrong_device_type" ? ["quite-another"] : artifact.device_types,
      provides: artifact.provides,
      clearsProvides: artifact.clears_provides,
      ...dependsOf(artifact),
      compression: artifact.compression,
      type: artifact.empty ? null : type,
      files: format.files(payloadOf(release, artifact)),
      scripts: Object.fromEntries(Object.entries(artifact.scripts).map(([name, code]) => [name, script(code)])),
    },
    {
      compressors: COMPRESSORS,
      ...(key === undefined ? {} : { signingKey: loadSigningKey(key.privatePem, { upkeepOnly: true }) }),
    },
  );
}

/** Makes a state script that exits with this code. */
export type ScriptMaker = (code: number) => Uint8Array;

/** A state script of simulated devices, which exits with this code. */
export function scriptOf(code: number): Uint8Array {
  return new TextEncoder().encode(`#!/bin/script ${code}\n`);
}

/** Depends on artifact names belong to the header, the others to the payload, which takes one value for each key. */
function dependsOf({ depends }: ScenarioArtifact) {
  const { artifact_name, ...others } = depends;
  const names = artifact_name === undefined ? undefined : [artifact_name].flat();
  const single = Object.entries(others).map(([name, value]) => [name, [value].flat()[0] ?? ""] as const);
  return {
    ...given({ dependsArtifactNames: names }),
    ...(single.length === 0 ? {} : { depends: Object.fromEntries(single) }),
  };
}
