import { HOARDING, type ModuleBehaviour } from "./modules.ts";
import type { Plan } from "./person.ts";

/** One way through the table of states, without any power cut. */
export interface CampaignPath {
  readonly name: string;
  readonly module: ModuleBehaviour;
  /** State scripts of the artifact by name, with their exit codes. */
  readonly scripts: Readonly<Record<string, number>>;
  readonly abortAtReport?: number;
  /** The new root file system crashes while it starts. */
  readonly badImage?: boolean;
  /** The artifact is damaged on its way. */
  readonly corrupted?: boolean;
  /** The server cannot be reached for so long after the new software was installed. */
  readonly unreachableMs?: number;
  /** The way back never ends by itself: the engine gives up as it does by default. */
  readonly loops?: boolean;
  /** The artifact has no payload. */
  readonly empty?: boolean;
  /** A second file comes behind the payload's own one, large enough to be written down several times. */
  readonly twoFiles?: boolean;
  /** Another object, which holds the same payload, takes the artifact's place under its link after the first download has begun. */
  readonly replaced?: boolean;
  /** Another deployment waits behind the first one. */
  readonly second?: boolean;
  /** What the file system of the data directory can hold, shared by agent and module; without end if absent. */
  readonly disk?: { readonly capacityBytes?: number; readonly inodes?: number; readonly noexec?: boolean };
  /** The server offers an adaptive download; half of the payload is what the device has at first. */
  readonly adaptive?: boolean;
  /** On the other slot lies what an interrupted write has left of the new image: the first part, and something else. */
  readonly torn?: boolean;
  /** Cut in every way only by a long campaign: an update that reads the slots asks for each write what is left of it. */
  readonly costly?: boolean;
  /** Installed by hand, with this plan; the server has no deployment. */
  readonly standalone?: Plan;
}

/** Everything but what a path decides. */
type Base = Pick<ModuleBehaviour, "kind" | "reboot" | "rollback" | "streams">;

const BASES: Readonly<Record<string, Base>> = {
  "no reboot": { kind: "files", reboot: "no", rollback: true, streams: false },
  "module reboots": { kind: "files", reboot: "yes", rollback: true, streams: true },
  "agent reboots": { kind: "files", reboot: "automatic", rollback: true, streams: false },
  "two slots": { kind: "slots", reboot: "automatic", rollback: true, streams: true },
  "no rollback": { kind: "files", reboot: "no", rollback: false, streams: true },
  "rootfs-image": { kind: "rootfs-image", reboot: "automatic", rollback: true, streams: true },
};

/** Room for an update, and little more. */
const SMALL_DISK = { capacityBytes: 256 * 1024, inodes: 40 };

const MODULE_CALLS = [
  "Download",
  "DownloadWithFileSizes",
  "ArtifactInstall",
  "NeedsArtifactReboot",
  "ArtifactReboot",
  "ArtifactVerifyReboot",
  "ArtifactCommit",
  "Cleanup",
] as const;

const SCRIPTS = [
  "ArtifactInstall_Enter",
  "ArtifactInstall_Leave",
  "ArtifactReboot_Enter",
  "ArtifactReboot_Leave",
  "ArtifactCommit_Enter",
  "ArtifactCommit_Leave",
] as const;

function withBase(
  base: string,
  change: Partial<Omit<CampaignPath, "module">> & { fails?: readonly string[] } = {},
): CampaignPath {
  const { fails = [], ...rest } = change;
  const module = { ...(BASES[base] as Base), fails: new Set(fails), twoFiles: rest.twoFiles === true };
  return { scripts: {}, ...rest, name: `${base}: ${rest.name ?? "success"}`, module };
}

/** Calls that this kind of module gets at all. */
function relevantCalls(base: Base): readonly string[] {
  // The agent's own module has no planned failures.
  if (base.kind === "rootfs-image") return [];
  return MODULE_CALLS.filter((call) => {
    if (call === "Download") return base.kind === "files";
    if (call === "DownloadWithFileSizes") return base.kind === "slots";
    if (call === "ArtifactVerifyReboot") return base.reboot !== "no";
    return call !== "ArtifactReboot" || base.reboot === "yes";
  });
}

const COSTLY = { adaptive: true, costly: true };

/** The paths through the table: success, failure in each state, rollback, every answer about reboots, aborts. */
export function campaignPaths(): CampaignPath[] {
  const paths: CampaignPath[] = [];
  for (const [base, module] of Object.entries(BASES)) {
    paths.push(withBase(base));
    for (const call of relevantCalls(module)) paths.push(withBase(base, { name: `${call} fails`, fails: [call] }));
    for (const call of module.kind === "rootfs-image" ? [] : ["ArtifactFailure", "Cleanup"])
      paths.push(withBase(base, { name: `ArtifactInstall fails, and ${call}`, fails: ["ArtifactInstall", call] }));
    const reports = module.reboot === "no" ? 3 : 4;
    for (let report = 1; report <= reports; report++)
      paths.push(withBase(base, { name: `aborted at report ${report}`, abortAtReport: report }));
  }
  for (const base of ["no reboot", "two slots"]) {
    const all = Object.fromEntries(SCRIPTS.map((script) => [`${script}_10`, 0]));
    for (const script of SCRIPTS)
      if (base === "two slots" || !script.startsWith("ArtifactReboot"))
        paths.push(withBase(base, { name: `${script} fails`, scripts: { ...all, [`${script}_20`]: 1 } }));
    for (const call of ["ArtifactRollback", "SupportsRollback"])
      paths.push(withBase(base, { name: `ArtifactCommit fails, and ${call}`, fails: ["ArtifactCommit", call] }));
    paths.push(withBase(base, { name: "damaged artifact", corrupted: true }));
    paths.push(withBase(base, { name: "server unreachable for ten minutes", unreachableMs: 600_000 }));
    paths.push(withBase(base, { name: "server unreachable for an hour", unreachableMs: 3600_000 }));
  }
  for (const base of ["two slots", "rootfs-image"])
    paths.push(withBase(base, { name: "image that does not start", badImage: true }));
  for (const script of ["ArtifactInstall_Leave", "ArtifactCommit_Enter", "ArtifactCommit_Leave"])
    paths.push(withBase("rootfs-image", { name: `${script} fails`, scripts: { [`${script}_10`]: 1 } }));
  paths.push(withBase("rootfs-image", { name: "damaged artifact", corrupted: true }));
  paths.push(withBase("rootfs-image", { name: "server unreachable for an hour", unreachableMs: 3600_000 }));
  for (const base of ["no reboot", "no rollback", "rootfs-image"])
    paths.push(withBase(base, { name: "two deployments", second: true }));
  paths.push(withBase("no reboot", { name: "two deployments, the first one aborted", second: true, abortAtReport: 2 }));
  for (const base of ["no reboot", "module reboots"]) {
    paths.push(withBase(base, { name: "two files", twoFiles: true }));
    paths.push(withBase(base, { name: "two files, replaced", twoFiles: true, replaced: true }));
    paths.push(withBase(base, { name: "two files, damaged", twoFiles: true, corrupted: true }));
  }
  for (const standalone of ["commit", "rollback"] as const) {
    for (const base of Object.keys(BASES)) paths.push(withBase(base, { name: `by hand, ${standalone}`, standalone }));
    for (const call of ["ArtifactInstall", "ArtifactCommit", "ArtifactRollback"])
      paths.push(withBase("no reboot", { name: `by hand, ${standalone}, ${call} fails`, standalone, fails: [call] }));
  }
  paths.push(withBase("no reboot", { name: "by hand, empty payload", standalone: "commit", empty: true }));
  paths.push(
    withBase("module reboots", {
      name: "ArtifactVerifyReboot and the rollback's reboot fail",
      fails: ["ArtifactVerifyReboot", "ArtifactRollbackReboot"],
    }),
  );
  paths.push(
    withBase("agent reboots", {
      name: "the rollback's reboot never leads back",
      fails: ["ArtifactCommit", "ArtifactVerifyRollbackReboot"],
      loops: true,
    }),
  );
  paths.push(withBase("no reboot", { name: "empty payload", empty: true }));
  for (const base of ["two slots", "rootfs-image"])
    paths.push(withBase(base, { name: "adaptive, torn slot", ...COSTLY, torn: true }));
  paths.push(withBase("two slots", { name: "adaptive, ArtifactCommit fails", ...COSTLY, fails: ["ArtifactCommit"] }));
  paths.push(withBase("rootfs-image", { name: "adaptive, image that does not start", ...COSTLY, badImage: true }));
  paths.push(withBase("rootfs-image", { name: "adaptive, two deployments", ...COSTLY, second: true }));
  const fills = { disk: SMALL_DISK, fails: ["ArtifactInstall", HOARDING] };
  paths.push(withBase("no reboot", { name: "ArtifactInstall fills the disk", ...fills }));
  paths.push(
    withBase("no reboot", {
      name: "by hand, the disk is filled",
      standalone: "commit",
      ...fills,
    }),
  );
  // Too few for the work tree.
  paths.push(withBase("no reboot", { name: "out of inodes", disk: { inodes: 12 } }));
  paths.push(
    withBase("no reboot", { name: "noexec", disk: { noexec: true }, scripts: { ArtifactInstall_Enter_10: 0 } }),
  );
  return paths;
}
