import { loadSigningKey, writeArtifact } from "@upkeep/shared/artifact/write";
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

/** A payload: tells which software it is, and whether it is whole. */
export function payloadOf(
  software: string,
  { payload, boots }: Pick<ScenarioArtifact, "payload" | "boots">,
): Uint8Array {
  return rootImage({ software, boots, sizeBytes: payload });
}

/**
 * The bytes of an artifact of a scenario.
 * @param defect Made with this defect.
 * @param script What its state scripts are; default: those of simulated devices.
 */
export async function makeArtifact(
  release: string,
  artifact: ScenarioArtifact,
  seed: string,
  defect?: ArtifactDefect,
  script: ScriptMaker = scriptOf,
): Promise<Buffer> {
  const sink = new MemorySink();
  const provides = { "rootfs-image.version": release, ...artifact.provides };
  const common = {
    artifactName: release,
    deviceTypes: defect === "wrong_device_type" ? ["quite-another"] : artifact.device_types,
    clearsProvides: ["rootfs-image.*", ...artifact.clears_provides],
    provides,
    ...dependsOf(artifact),
  };
  const { trusted, foreign } = signingKeys(seed);
  const key =
    defect === "unsigned" ? undefined : defect === "wrong_signature" ? foreign : artifact.signed ? trusted : undefined;
  const options = {
    compressors: COMPRESSORS,
    ...(key === undefined ? {} : { signingKey: loadSigningKey(key.privatePem) }),
  };
  if (artifact.empty) {
    await writeArtifact({ kind: "bootstrap", ...common }, sink, options);
    return sink.content;
  }
  const payload = payloadOf(release, artifact);
  await writeArtifact(
    {
      kind: "module-image",
      ...common,
      compression: artifact.compression,
      type: defect === "missing_module" ? UNKNOWN_TYPE : PAYLOAD_TYPE,
      files: [fileOf("payload", payload)],
      scripts: Object.entries(artifact.scripts).map(([name, code]) => ({ name, content: script(code) })),
      noDefaultSoftwareVersion: true,
    },
    sink,
    options,
  );
  return sink.content;
}

/** Makes a state script that ends with this code. */
export type ScriptMaker = (code: number) => Uint8Array;

/** What a state script of a scenario is: it ends with this code. */
export function scriptOf(code: number): Uint8Array {
  return new TextEncoder().encode(`#!/bin/script ${code}\n`);
}

/** Depends on a name are a part of the header; the others are the payload's. A list is one of several. */
function dependsOf({ depends }: ScenarioArtifact) {
  const { artifact_name, ...others } = depends;
  const names = artifact_name === undefined ? undefined : [artifact_name].flat();
  const single = Object.entries(others).map(([name, value]) => [name, [value].flat()[0] ?? ""] as const);
  return {
    ...given({ dependsArtifactNames: names }),
    ...(single.length === 0 ? {} : { depends: Object.fromEntries(single) }),
  };
}
