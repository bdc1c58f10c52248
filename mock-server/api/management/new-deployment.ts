import { given } from "@upkeep/shared/given";
import * as z from "zod";
import type { NewDeployment, Rollout } from "../../domain.ts";
import { fields, ignored, onlyFalse, Time } from "../validation.ts";
import { ControlMap } from "./control-map.ts";

/** Fields that the reference's web interface sends; they have no effect here. */
const PHASE_TOLERATED = {
  delay: ignored("start_ts of the next phase says when it begins"),
  delayUnit: ignored("start_ts of the next phase says when it begins"),
};
const TOLERATED = { autogenerate_delta: onlyFalse("deltas are not made here") };

const NewPhase = fields({
  batch_size: z.number().optional(),
  start_ts: Time.optional(),
  success_threshold: z.number().optional(),
  error_threshold: z.number().optional(),
  ...PHASE_TOLERATED,
});

/** The rollout of a deployment, independent of its targets. */
const rollout = {
  phases: z.array(NewPhase).nullish(),
  retries: z.number().nullish(),
  /** Seconds. */
  silent_after: z.number().nullish(),
  update_control_map: ControlMap.nullish(),
};
type RolloutBody = z.infer<z.ZodObject<typeof rollout>>;

const common = {
  name: z.string().default(""),
  artifact_name: z.string().default(""),
  force_installation: z.boolean().optional(),
  ...rollout,
  ...TOLERATED,
};

const listed = { ...common, devices: z.array(z.string()).nullish(), all_devices: z.boolean().optional() };

/** A deployment to a list of devices, or to all. */
export const StaticBody = fields(listed);

/** A deployment to the group in the path. */
export const GroupBody = fields({ ...listed, group: z.string().optional() });

/** A deployment to the devices that match a filter. */
export const DynamicBody = fields({
  ...common,
  group: ignored("it is the name of the filter, for people"),
  all_devices: onlyFalse("the filter says which devices"),
  filter_id: z.string().min(1, "cannot be blank"),
  max_devices: z.number().nullish(),
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
    retries: retries ?? undefined,
    silentAfterMs: silent_after == null ? undefined : silent_after * 1000,
    updateControlMap: update_control_map ?? undefined,
  });
}

/** The new deployment that a body describes, with any kind of targets. */
export function newDeploymentOf(
  body: z.infer<typeof StaticBody> | z.infer<typeof GroupBody> | z.infer<typeof DynamicBody>,
): NewDeployment {
  const whom =
    "filter_id" in body
      ? { filterId: body.filter_id, maxDevices: body.max_devices ?? undefined }
      : { devices: body.devices ?? undefined, allDevices: body.all_devices };
  return {
    name: body.name,
    artifactName: body.artifact_name,
    ...given({ ...whom, forceInstallation: body.force_installation }),
    ...rolloutOf(body),
  };
}
