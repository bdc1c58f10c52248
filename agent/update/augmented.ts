import type { ArtifactHeader, AugmentedHeader, AugmentedPayloadHeader, PayloadHeader } from "@upkeep/shared/artifact";
import { given } from "@upkeep/shared/given";
import { AgentError } from "../errors.ts";
import { type Augmentable, type Permissions, type UpdateModule, unpermitted } from "../modules/index.ts";

/** An artifact's header as it applies: the signed one, or the augmented one over it. */
export interface EffectiveHeader {
  readonly header: ArtifactHeader;
  readonly payload: PayloadHeader;
}

/** The payload type that selects the update module, before that module has permitted anything. */
export function effectiveType({ augment }: ArtifactHeader, { index, typeInfo }: PayloadHeader): string | null {
  return augment?.payloads[index]?.type ?? typeInfo.type;
}

export function augmentedRefused({ artifactName }: ArtifactHeader, why: string): AgentError {
  const what = `artifact ${JSON.stringify(artifactName)} is augmented, that is, it has parts that no signature covers`;
  return new AgentError("augmented-refused", `${what}: ${why}`);
}

/**
 * Merge the unsigned header of an augmented artifact into the signed one, if the update module permits all overridden
 * fields.
 * @param module The module of the effective type.
 * @throws AgentError `augmented-refused`, naming what is not permitted; the module's errors.
 */
export async function withAugmented(
  { header, payload }: EffectiveHeader,
  augment: AugmentedHeader,
  module: UpdateModule,
): Promise<EffectiveHeader> {
  const type = effectiveType(header, payload) ?? "";
  const refuse = (why: string): AgentError => augmentedRefused(header, why);
  if (!(await module.acceptsAugmented())) throw refuse(`the update module ${type} accepts no such artifacts`);
  const original = payload.typeInfo.type ?? "";
  if (type !== original && !(await module.originalTypes()).includes(original)) {
    throw refuse(`the update module ${type} does not accept artifacts whose signed type is ${original}`);
  }
  if (augment.headerInfoJson === undefined) return { header, payload };
  const over = augment.payloads[payload.index] ?? { index: payload.index };
  const overridden = fieldNotPermitted(header, payload, augment, over, await module.permittedHeaders());
  if (overridden !== undefined) throw refuse(`the update module ${type} does not permit it to override ${overridden}`);
  return { header: mergedHeader(header, augment), payload: mergedPayload(payload, over) };
}

function fieldNotPermitted(
  header: ArtifactHeader,
  payload: PayloadHeader,
  augment: AugmentedHeader,
  over: AugmentedPayloadHeader,
  permissions: Permissions,
): string | undefined {
  const texts: Readonly<Record<Augmentable, readonly [string | undefined, string | undefined]>> = {
    "header-info": [augment.headerInfoJson, header.headerInfoJson],
    "type-info": [over.typeInfoJson, payload.typeInfoJson],
    "meta-data": [over.metaDataJson, payload.metaDataJson],
  };
  for (const [name, [augmented, original]] of Object.entries(texts) as [Augmentable, (typeof texts)[Augmentable]][]) {
    if (augmented === undefined) continue;
    const found = unpermitted(fieldsOf(augmented, name), fieldsOf(original, name), permissions[name], name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The fields of a header that need a permission. The payload type is asked for separately. */
function fieldsOf(json: string | undefined, name: Augmentable): unknown {
  const fields = Object.entries(JSON.parse(json ?? "{}") as Readonly<Record<string, unknown>>);
  const apart = { "header-info": "payloads", "type-info": "type", "meta-data": undefined }[name];
  return Object.fromEntries(fields.filter(([field]) => field !== apart));
}

function mergedHeader(header: ArtifactHeader, augment: AugmentedHeader): ArtifactHeader {
  const { headerInfoJson, payloads, ...fields } = augment;
  return { ...header, ...fields };
}

function mergedPayload(payload: PayloadHeader, over: AugmentedPayloadHeader): PayloadHeader {
  const { typeInfo } = payload;
  const merged = <T>(
    signed: Readonly<Record<string, T>> | undefined,
    added: Readonly<Record<string, T>> | undefined,
  ) => (added === undefined ? signed : { ...signed, ...added });
  const provides = merged(typeInfo.provides, over.provides);
  const depends = merged(typeInfo.depends, over.depends);
  const clearsProvides = over.clearsProvides ?? typeInfo.clearsProvides;
  return {
    ...payload,
    typeInfo: {
      type: over.type ?? typeInfo.type,
      ...given({ provides, depends, clearsProvides }),
    },
  };
}
