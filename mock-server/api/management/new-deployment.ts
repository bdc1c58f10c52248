import { given } from "@upkeep/shared/given";
import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import { type BulkSearch, checkTerms, type Domain, type NewDeployment, type Rollout } from "../../domain.ts";
import { invalid } from "../../errors.ts";
import { fields, ignored, onlyFalse, Time } from "../validation.ts";
import { bulkSearchOf, SEARCH } from "./bulk-targets.ts";
import { ControlMapBody } from "./control-map.ts";

/** Fields that the reference's web interface sends; they have no effect here. */
const PHASE_TOLERATED = {
  delay: ignored("start_ts of the next phase says when it begins"),
  delayUnit: ignored("start_ts of the next phase says when it begins"),
};
const TOLERATED = { autogenerate_delta: onlyFalse("deltas are not made here") };

const NewPhase = fields({
  batch_size: optional(z.number()),
  start_ts: optional(Time),
  success_threshold: optional(z.number()),
  error_threshold: optional(z.number()),
  ...PHASE_TOLERATED,
});

/** The rollout of a deployment, independent of its targets. */
const rollout = {
  phases: optional(z.array(NewPhase)),
  retries: optional(z.number()),
  /** Seconds. */
  silent_after: optional(z.number()),
  update_control_map: optional(ControlMapBody),
};
type RolloutBody = z.infer<z.ZodObject<typeof rollout>>;

const common = {
  name: optional(z.string()),
  artifact_name: optional(z.string()),
  force_installation: optional(z.boolean()),
  ...rollout,
  ...TOLERATED,
};

const listed = { ...common, devices: optional(z.array(z.string())), all_devices: optional(z.boolean()) };

/** A deployment to a list of devices, to those that a search finds now, or to all. */
export const StaticBody = fields({ ...listed, ...SEARCH });

/** A deployment to the group in the path. */
export const GroupBody = fields({ ...listed, group: optional(z.string()) });

/** A deployment to the devices that match a filter. */
export const DynamicBody = fields({
  ...common,
  group: ignored("it is the name of the filter, for people"),
  all_devices: onlyFalse("the filter says which devices"),
  filter_id: z.string().min(1, "cannot be blank"),
  max_devices: optional(z.number()),
});

/** A deployment of any kind that is not created yet. */
export const PreviewBody = fields({
  ...listed,
  ...SEARCH,
  group: optional(z.string()),
  filter_id: optional(z.string().min(1, "cannot be blank")),
  max_devices: optional(z.number()),
});

/** A deployment of a configuration. */
export const ConfigurationBody = fields({
  retries: rollout.retries,
  update_control_map: rollout.update_control_map,
});

export function rolloutOf({ phases, retries, silent_after, update_control_map }: Partial<RolloutBody>): Rollout {
  return given({
    phases: phases?.map(({ batch_size, start_ts, success_threshold, error_threshold }) =>
      given({
        batchSize: batch_size,
        startMs: start_ts,
        successThreshold: success_threshold,
        errorThreshold: error_threshold,
      }),
    ),
    retries,
    silentAfterMs: silent_after === undefined ? undefined : silent_after * 1000,
    updateControlMap: update_control_map,
  });
}

type TargetlessBody = Pick<z.infer<typeof StaticBody>, "name" | "artifact_name" | "force_installation"> &
  Partial<RolloutBody>;

function targetless(body: TargetlessBody): Pick<NewDeployment, "name" | "artifactName"> & Partial<NewDeployment> {
  return {
    name: body.name ?? "",
    artifactName: body.artifact_name ?? "",
    ...given({ forceInstallation: body.force_installation }),
    ...rolloutOf(body),
  };
}

/** The new deployment that a body describes, with any kind of targets. */
export function newDeploymentOf(
  body: z.infer<typeof StaticBody> | z.infer<typeof GroupBody> | z.infer<typeof DynamicBody>,
): NewDeployment {
  const whom =
    "filter_id" in body
      ? { filterId: body.filter_id, maxDevices: body.max_devices }
      : { devices: body.devices, allDevices: body.all_devices };
  return { ...targetless(body), ...given(whom) };
}

/** The deployment to preview. @throws DomainError as {@link searched}. */
export async function previewedDeploymentOf(
  domain: Pick<Domain, "devices">,
  body: z.infer<typeof PreviewBody>,
): Promise<NewDeployment> {
  const { all_devices: allDevices, group, filter_id: filterId, max_devices: maxDevices } = body;
  const devices = body.filters === undefined ? body.devices : await searched(domain, body, []);
  return { ...targetless(body), ...given({ devices, allDevices, group, filterId, maxDevices }) };
}

const ACCEPTED = checkTerms([{ scope: "identity", attribute: "status", type: "$eq", value: "accepted" }], "filters");

/**
 * The deployment of a body with a list of devices, a search or all devices. A search means accepted devices only.
 * @throws DomainError as {@link searched}.
 */
export async function staticDeploymentOf(
  domain: Pick<Domain, "devices">,
  body: z.infer<typeof StaticBody>,
): Promise<NewDeployment> {
  const request = newDeploymentOf(body);
  if (body.filters === undefined) return request;
  if (body.expected_count === undefined) throw invalid("expected_count: the target_count of the preview");
  return { ...request, devices: await searched(domain, body, ACCEPTED) };
}

/** @throws DomainError (invalid) for a list beside the search; (conflict) if it finds another number of devices. */
async function searched(
  { devices }: Pick<Domain, "devices">,
  body: z.infer<typeof StaticBody>,
  more: BulkSearch["terms"],
): Promise<readonly string[]> {
  if (body.devices !== undefined) throw invalid("devices: give either devices or filters");
  const search = bulkSearchOf(body);
  return await devices.found({ ...search, terms: [...search.terms, ...more] });
}
