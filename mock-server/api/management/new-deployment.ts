import * as z from "zod";
import type { NewDeployment, Rollout } from "../../domain.ts";
import { ControlMap } from "./control-map.ts";
import { given } from "./filters.ts";

/** A time as programs send it. */
const instant = z
  .string()
  .refine((text) => /^\d{4}-\d\d-\d\d[Tt]/.test(text) && !Number.isNaN(Date.parse(text)), "must be a time (RFC 3339)")
  .transform((text) => Date.parse(text));

const NewPhase = z.object({
  batch_size: z.number().optional(),
  start_ts: instant.optional(),
  success_threshold: z.number().optional(),
  error_threshold: z.number().optional(),
});

/** How a deployment is rolled out, whoever gets it. */
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
};

/** To a list of devices, or to all. */
export const StaticBody = z.object({
  ...common,
  devices: z.array(z.string()).nullish(),
  all_devices: z.boolean().optional(),
});

/** To whoever matches a filter. */
export const DynamicBody = z.object({
  ...common,
  filter_id: z.string().min(1, "cannot be blank"),
  max_devices: z.number().nullish(),
});

/** Of a configuration. */
export const ConfigurationBody = z.object({
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

/** What a body asks for, however it says whom it is for. */
export function newDeploymentOf(body: z.infer<typeof StaticBody> | z.infer<typeof DynamicBody>): NewDeployment {
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
