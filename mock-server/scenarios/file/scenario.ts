import * as z from "zod";
import { Instant, WallDate } from "../../faults/language/instants.ts";
import { Duration, YesNo } from "../../faults/language/quantities.ts";
import { Deployment } from "./deployments.ts";
import { Expectation } from "./expectations.ts";
import { ScenarioFault } from "./faults.ts";
import { Devices } from "./fleet.ts";
import { parameterShape } from "./parameters.ts";
import { Release } from "./releases.ts";
import { Issuer } from "./settings.ts";
import { TimelineEntry } from "./timeline.ts";

/** 2026-01-01 */
const STARTS_MS = 1_767_225_600_000;
const PATIENCE_MS = 3 * 86_400_000;

const Ends = z
  .strictObject({
    after: Duration.optional().meta({ description: "Just then" }),
    at_most: Duration.optional().meta({
      description: "When every expectation is met, or after this time; 3d if absent",
    }),
  })
  .refine((ends) => ends.after === undefined || ends.at_most === undefined, {
    error: "at most one of after, at_most",
  })
  .transform(
    ({ after, at_most }): Ending =>
      after === undefined ? { boundMs: at_most ?? PATIENCE_MS, early: true } : { boundMs: after, early: false },
  );

/** When a run ends. */
export interface Ending {
  /** Milliseconds after the start. */
  readonly boundMs: number;
  /** Earlier, as soon as every expectation is met. */
  readonly early: boolean;
}

/** Who has signed the server's certificate if nothing is said. */
const USUAL_ISSUER = "authority";

const Server = z.strictObject({
  token_life: Duration.optional().meta({ description: "How long a device's token is good; 7d if absent" }),
  certificate: z
    .strictObject({
      issuer: Issuer.default(USUAL_ISSUER),
      until: Instant.optional().meta({ description: "When it expires; 400d after the start if absent" }),
    })
    .prefault({})
    .meta({ description: "The server's certificate" }),
  link_life: Duration.optional().meta({ description: "How long a download link is good; 1d if absent" }),
  adaptive: YesNo.default(false).meta({
    description: "It offers adaptive downloads of artifacts whose payload has 64 KiB at least",
  }),
});

/** A scenario file. */
export const Scenario = z.strictObject({
  scenario: z.string({ error: "what the scenario is called" }).min(1, { error: "what the scenario is called" }),
  why: z
    .string({ error: "a sentence: why it matters" })
    .min(1, { error: "a sentence: why it matters" })
    .meta({ description: "Why it matters for devices in the field" }),
  ...parameterShape,
  seed: z
    .union([z.int(), z.string().min(1)], { error: "a whole number or a text" })
    .transform(String)
    .default("1"),
  starts: WallDate.default(STARTS_MS),
  ends: Ends.prefault({}),
  attached: YesNo.default(false).meta({
    description:
      "It is known to run with a device on the desk (--attach): of a directory, only such files are run with one",
  }),
  server: Server.prefault({}),
  fleet: z.array(Devices, { error: "a list of devices" }).min(1, { error: "at least one device" }),
  releases: z.array(Release, { error: "a list of releases" }).default([]),
  deployments: z.array(Deployment, { error: "a list of deployments" }).default([]),
  timeline: z.array(TimelineEntry, { error: "a list of what is done when" }).default([]),
  faults: z.array(ScenarioFault, { error: "a list of faults" }).default([]),
  expect: z
    .array(Expectation, { error: "a list of what is expected" })
    .min(1, { error: "at least one thing that is expected" }),
});
export type Scenario = z.output<typeof Scenario>;
