import { given } from "@upkeep/shared/given";
import { type AdaptiveTransfer, PLAIN_REASONS, recordOf } from "@upkeep/shared/protocol";
import * as z from "zod/mini";
import { type DeviceSoftware, STATE_NAMES, type StateName } from "./states.ts";

const nullable = <T extends z.core.$ZodType>(schema: T) => z.union([schema, z.null()]);
const count = z.int().check(z.minimum(0));

/** What must be known of the artifact to continue without it. */
const ArtifactRecord = z.object({
  name: z.string().check(z.minLength(1)),
  group: nullable(z.string()),
  /** `null`: an empty payload, which has no update module. */
  payloadType: nullable(z.string()),
  /** Absent fields of the artifact are `null`: that they are absent has a meaning of its own. */
  provides: nullable(recordOf(z.string())),
  clears: nullable(z.array(z.string())),
});
export type ArtifactRecord = z.infer<typeof ArtifactRecord>;

/** The durable part of an interrupted download, which is not downloaded again. */
const StoredPart = z.object({
  /** As the update module's storing tells it (`StoredSoFar`). */
  path: z.string(),
  sha256: z.string(),
  bytes: count,
  /** How many bytes of the artifact had arrived by then. */
  reachedBytes: count,
});
export type StoredPart = z.infer<typeof StoredPart>;

/** What an adaptive download cost. A later agent may know more reasons. */
export const StoredTransfer = z.object({ needed: count, reused: count, fetched: count, plain: z.optional(z.string()) });

function transferOf(stored: z.infer<typeof StoredTransfer> | undefined): AdaptiveTransfer | undefined {
  if (stored === undefined) return undefined;
  const { plain, ...bytes } = stored;
  return { ...bytes, ...given({ plain: PLAIN_REASONS.find((reason) => reason === plain) }) };
}

/** Who wants the update: a server, which may abort it, or a person at the device. */
export type Origin =
  | { readonly mode: "standalone" }
  | { readonly mode: "deployment"; readonly id: string; readonly standing: "open" | "aborted" };

/** Where the update is in the table. */
export type Position =
  | {
      readonly kind: "downloading";
      readonly state: "Download";
      readonly stored?: StoredPart;
      /** The most `reachedBytes` that was ever written. */
      readonly furthestBytes?: number;
    }
  | { readonly kind: "entered"; readonly state: Exclude<StateName, "Download"> }
  /** The state has not begun: a person asked to stop before it. */
  | { readonly kind: "stopped-before"; readonly state: StateName };

/**
 * What runs on the device. The last two are final, whatever states follow:
 * `rollback-uncertain`: something failed while rolling back, so what ran before is not surely restored;
 * `loop`: the update was given up as a loop, with the artifact installed in any part.
 */
export type Software = DeviceSoftware | "rollback-uncertain" | "loop";

/** Why an update failed, as it was first known. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** What the agent must know after a restart, at any instant, to bring an update to its end. */
export interface JournalRecord {
  origin: Origin;
  position: Position;
  /** States entered so far, restarts included. */
  visits: number;
  artifact: ArtifactRecord | null;
  /** The module's last answer to NeedsArtifactReboot. */
  reboot: "No" | "Yes" | "Automatic";
  software: Software;
  /** Reboots of the rollback so far. */
  rollbackReboots: number;
  /** When the update began, in milliseconds since the Unix epoch: a clock that says less is wrong. */
  readonly begunMs?: number;
  failure: Failure | null;
  /** What the download cost, if an adaptive one was offered. */
  transfer?: AdaptiveTransfer;
  /** The final status, fixed together with the provides. `null` until then. */
  outcome: "success" | "failure" | null;
}

/** The record of an update that begins. */
export function newRecord(origin: Origin, begunMs: number): JournalRecord {
  return {
    origin,
    position: { kind: "downloading", state: "Download" },
    visits: 0,
    artifact: null,
    reboot: "No",
    software: "old",
    rollbackReboots: 0,
    begunMs,
    failure: null,
    outcome: null,
  };
}

/** @returns The deployment's id; `null` for an update by hand. */
export function deploymentOf({ origin }: Pick<JournalRecord, "origin">): string | null {
  return origin.mode === "deployment" ? origin.id : null;
}

/** The position of an update that enters a state. A download that is entered again keeps what is stored. */
export function entering(state: StateName, from: Position): Position {
  if (state !== "Download") return { kind: "entered", state };
  return from.kind === "downloading" ? from : { kind: "downloading", state };
}

/** What runs on the device, once a state or an outcome says that it is `device`. */
export function softwareAfter(software: Software, device: DeviceSoftware): Software {
  return software === "rollback-uncertain" || software === "loop" ? software : device;
}

/** What runs on the device, without the reason why that is unknown. */
export function deviceSoftware({ software }: Pick<JournalRecord, "software">): DeviceSoftware {
  return software === "old" || software === "new" ? software : "unknown";
}

/**
 * A record as it is on disk. Agents of every version so far read and write this form, and it must stay so: a rollback of
 * the root file system boots an older agent, which reads the journal that the newer one wrote.
 */
const StoredRecord = z.object({
  mode: z.enum(["deployment", "standalone"]),
  deployment: nullable(z.string()),
  state: z.enum(STATE_NAMES as [StateName, ...StateName[]]),
  stopped: z.optional(z.literal(true)),
  visits: count,
  artifact: nullable(ArtifactRecord),
  download: z.optional(StoredPart),
  furthestBytes: z.optional(count),
  transfer: z.optional(StoredTransfer),
  reboot: z.enum(["No", "Yes", "Automatic"]),
  device: z.enum(["old", "new", "unknown"]),
  spoiled: z.boolean(),
  rollbackReboots: z._default(count, 0),
  begunMs: z.optional(z.number()),
  looped: z.boolean(),
  failure: nullable(z.string()),
  failureCode: nullable(z.string()),
  aborted: z.boolean(),
  outcome: nullable(z.enum(["success", "failure"])),
});
type StoredRecord = z.output<typeof StoredRecord>;

function originOf({ mode, deployment, aborted }: StoredRecord): Origin {
  if (mode === "standalone") return { mode };
  return { mode, id: deployment ?? "", standing: aborted ? "aborted" : "open" };
}

function positionOf({ state, stopped, download, furthestBytes }: StoredRecord): Position {
  if (stopped) return { kind: "stopped-before", state };
  if (state !== "Download") return { kind: "entered", state };
  return { kind: "downloading", state, ...given({ stored: download, furthestBytes }) };
}

function softwareOf({ device, spoiled, looped }: StoredRecord): Software {
  if (device !== "unknown") return device;
  return looped ? "loop" : spoiled ? "rollback-uncertain" : device;
}

function fromStored(stored: StoredRecord): JournalRecord {
  const { visits, artifact, reboot, rollbackReboots, begunMs, failure, failureCode, transfer, outcome } = stored;
  return {
    origin: originOf(stored),
    position: positionOf(stored),
    visits,
    artifact,
    reboot,
    software: softwareOf(stored),
    rollbackReboots,
    ...given({ begunMs }),
    failure: failure === null ? null : { code: failureCode ?? "failed", message: failure },
    ...given({ transfer: transferOf(transfer) }),
    outcome,
  };
}

function toStored(record: JournalRecord): StoredRecord {
  const { origin, position, visits, artifact, reboot, software, rollbackReboots, begunMs, failure, transfer, outcome } =
    record;
  const { stored: download, furthestBytes } = position.kind === "downloading" ? position : {};
  return {
    mode: origin.mode,
    deployment: deploymentOf(record),
    state: position.state,
    ...(position.kind === "stopped-before" && { stopped: true }),
    visits,
    artifact,
    ...given({ download, furthestBytes, transfer }),
    reboot,
    device: deviceSoftware(record),
    spoiled: software === "rollback-uncertain",
    rollbackReboots,
    ...given({ begunMs }),
    looped: software === "loop",
    failure: failure?.message ?? null,
    failureCode: failure?.code ?? null,
    aborted: origin.mode === "deployment" && origin.standing === "aborted",
    outcome,
  };
}

/** The journal's record, on disk and in memory. */
export const JournalRecord = z.codec(
  StoredRecord,
  z.custom<JournalRecord>((value) => typeof value === "object" && value !== null),
  { decode: fromStored, encode: toStored },
);
