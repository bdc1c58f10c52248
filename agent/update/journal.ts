import * as z from "zod/mini";
import { STATE_NAMES, type StateName } from "./states.ts";

const nullable = <T extends z.core.$ZodType>(schema: T) => z.union([schema, z.null()]);

/** What must be known of the artifact to go on without it. */
const ArtifactRecord = z.object({
  name: z.string().check(z.minLength(1)),
  group: nullable(z.string()),
  /** `null`: an empty payload, which has no update module. */
  payloadType: nullable(z.string()),
  /** Absent fields of the artifact are `null`: that they are absent has a meaning of its own. */
  provides: nullable(z.record(z.string(), z.string())),
  clears: nullable(z.array(z.string())),
});
export type ArtifactRecord = z.infer<typeof ArtifactRecord>;

/** What a download that was interrupted need not bring once more, all of it durable. */
const DownloadRecord = z.object({
  /** As the update module's storing tells it (`StoredSoFar`). */
  path: z.string(),
  sha256: z.string(),
  bytes: z.int().check(z.minimum(0)),
  /** So many bytes of the artifact had come then. */
  reachedBytes: z.int().check(z.minimum(0)),
});
export type DownloadRecord = z.infer<typeof DownloadRecord>;

/** What the agent must know after a restart, at any instant, to bring an update to its end. */
export const JournalRecord = z.object({
  mode: z.enum(["deployment", "standalone"]),
  /** Of a deployment, its id. */
  deployment: nullable(z.string()),
  state: z.enum(STATE_NAMES as [StateName, ...StateName[]]),
  /** The state has not begun: a person wanted the update to stop before it. */
  stopped: z.optional(z.literal(true)),
  /** States entered so far, restarts included. */
  visits: z.int().check(z.minimum(0)),
  artifact: nullable(ArtifactRecord),
  /** Only within Download. */
  download: z.optional(DownloadRecord),
  /** The most of the artifact that had come when it was written down how much is stored. */
  furthestBytes: z.optional(z.int().check(z.minimum(0))),
  /** The module's last answer to NeedsArtifactReboot. */
  reboot: z.enum(["No", "Yes", "Automatic"]),
  device: z.enum(["old", "new", "unknown"]),
  /** Something failed on the way back: whatever follows, what ran before is not surely restored. */
  spoiled: z.boolean(),
  /** Reboots of the rollback so far. */
  rollbackReboots: z._default(z.int().check(z.minimum(0)), 0),
  /** When it began, in milliseconds since the Unix epoch: no true clock says anything earlier from then on. */
  begunMs: z.optional(z.number()),
  /** Too many states: the update was given up. */
  looped: z.boolean(),
  /** Why it failed, as it was first known. */
  failure: nullable(z.string()),
  failureCode: nullable(z.string()),
  /** The server said that the deployment was aborted. */
  aborted: z.boolean(),
  /** The final status, fixed once and for all together with the provides. `null` until then. */
  outcome: nullable(z.enum(["success", "failure"])),
});
export type JournalRecord = z.infer<typeof JournalRecord>;

/** The record of an update that begins. */
export function newRecord(mode: JournalRecord["mode"], deployment: string | null, begunMs: number): JournalRecord {
  return {
    mode,
    deployment,
    state: "Download",
    visits: 0,
    artifact: null,
    reboot: "No",
    device: "old",
    spoiled: false,
    rollbackReboots: 0,
    begunMs,
    looped: false,
    failure: null,
    failureCode: null,
    aborted: false,
    outcome: null,
  };
}
