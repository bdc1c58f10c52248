import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { ScriptName } from "../../faults/language/names.ts";
import { CountFromZero, Size, YesNo } from "../../faults/language/quantities.ts";
import { settingsShape } from "./settings.ts";

const Provides = recordOf(z.string({ error: "a text (in quotes if it looks like a number)" }));
const Depends = recordOf(
  z.union([z.string(), z.array(z.string()).min(1)], { error: "a text, or a list of texts of which one has to match" }),
);

/** One artifact of a release: made on the fly, or a file. */
export const ScenarioArtifact = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "A .mender file, relative to the scenario; nothing else then" }),
    device_types: z.array(z.string().min(1), { error: "a list of device types" }).min(1).default(["board"]),
    payload: Size.default(65_536).meta({ description: "How large the payload is; its content follows from the seed" }),
    alike: z
      .number({ error: "a share from 0 to 1" })
      .min(0, { error: "a share from 0 to 1" })
      .max(1, { error: "a share from 0 to 1" })
      .optional()
      .meta({
        description:
          "The share of the payload that it has in common with what the devices have at first, and with other such artifacts; only where devices are simulated",
      }),
    compression: z.enum(["none", "gzip", "xz", "zstd"], { error: "none, gzip, xz or zstd" }).default("none"),
    depends: z._default(Depends, {}).meta({ description: "What the device must provide" }),
    provides: z._default(Provides, {}).meta({ description: "What the device provides afterwards, besides the name" }),
    clears_provides: z.array(z.string().min(1)).default([]),
    scripts: z
      .record(ScriptName, CountFromZero)
      .default({})
      .meta({ description: "State scripts, each with its exit code" }),
    signed: YesNo.default(false).meta({ description: "Signed with the key that the devices trust" }),
    boots: YesNo.default(true).meta({
      description: "no: what is installed crashes while it starts (module of the kind slots)",
    }),
    ...settingsShape,
    empty: YesNo.default(false).meta({ description: "It has no payload: only provides change" }),
  })
  .refine(
    ({ depends }) =>
      Object.entries(depends).every(([name, value]) => name === "artifact_name" || typeof value === "string"),
    {
      error: "a text for each name but artifact_name, which may be a list",
      path: ["depends"],
    },
  )
  .refine((artifact) => artifact.file === undefined || artifact.payload === 65_536, {
    error: "file: what is in a file cannot be told here too",
  });
export type ScenarioArtifact = z.output<typeof ScenarioArtifact>;

const RELEASE_HINT = "the name of a release";

export const Release = z.strictObject({
  name: z.string({ error: RELEASE_HINT }).min(1, { error: RELEASE_HINT }).max(256),
  artifacts: z.array(ScenarioArtifact, { error: "a list of artifacts" }).min(1).prefault([{}]),
});
export type Release = z.output<typeof Release>;
