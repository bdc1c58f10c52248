import * as z from "zod";
import { Instant } from "../../faults/language/instants.ts";
import { Count, CountFromZero, Duration, Name, YesNo } from "../../faults/language/quantities.ts";
import { Trigger } from "./triggers.ts";

const PERCENT_HINT = "a percentage from 1 to 100";
const Percent = z.number({ error: PERCENT_HINT }).gt(0, { error: PERCENT_HINT }).max(100, { error: PERCENT_HINT });

const FilterTerm = z.strictObject({
  attribute: z.string().min(1),
  scope: z.string().min(1).default("inventory"),
  type: z.string().min(1).default("$eq"),
  value: z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))]),
});

/** The devices of a deployment. */
const Target = z.union(
  [
    z.literal("all"),
    z.array(z.string({ error: "a device's name" })).min(1),
    z.strictObject({ group: z.string().min(1) }),
    z.strictObject({ filter: z.array(FilterTerm).min(1) }),
  ],
  { error: "all, a list of devices, { group: … } or { filter: [{ attribute: …, value: … }] }" },
);

const Phase = z.strictObject({
  batch: Percent.optional().meta({ description: "Percent of the devices; the last phase takes the rest" }),
  start: Instant.optional(),
  success_threshold: Percent.optional(),
  error_threshold: Percent.optional(),
});

export const Deployment = z
  .strictObject({
    name: Name,
    release: z.string().min(1),
    to: Target,
    at: Instant.optional().meta({ description: "When it is created; 0s if nothing is said" }),
    when: Trigger.optional().meta({ description: "It is created when this happens" }),
    phases: z.array(Phase).min(1).optional(),
    retries: CountFromZero.max(100)
      .optional()
      .meta({ description: "Attempts that a device has after one that failed" }),
    max_devices: Count.optional(),
    silent_after: Duration.optional().meta({ description: "A device that is silent for this time has failed" }),
    force: YesNo.optional().meta({ description: "Install also what is installed already" }),
  })
  .refine((deployment) => deployment.at === undefined || deployment.when === undefined, {
    error: "at most one of at, when",
  });
export type Deployment = z.output<typeof Deployment>;
